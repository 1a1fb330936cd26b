/**
 * Checks of bf16 kernels: their error against float64 is at most twice (gradients: three times) that of the naive
 * computation in bf16, in which operands and every result are rounded to bf16 and products are summed in f32. One
 * reference of a test computes both, with numbers that round and with numbers that do not. Inputs are rounded already.
 */
import type { suite } from 'uvu'
import type { Capture, Tensor } from '../../src/autograd/tensor.js'
import { cpuInfo } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import { cast } from '../../src/ops/cast.js'
import { sameBits } from './allclose.js'
import { once, threadCounts } from './cases.js'
import { fail } from './failure.js'
import { wantedSets } from './instruction_sets.js'
import { type OpResult, runOp, type TestTensor } from './op_case.js'
import { isJudged, isTested, testedIsas, withDevice } from './op_check.js'
import { random } from './random.js'
import { onSet } from './tally.js'

type Test = ReturnType<typeof suite>

/** The nearest bf16 (8 bits of significand), ties to even; overflow is an infinity. */
export function bf16(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(x))))
  const unit = 2 ** (exponent - 7)
  const low = Math.floor(x / unit)
  const rest = x / unit - low
  const up = rest > 0.5 || (rest === 0.5 && low % 2 !== 0)
  const rounded = (low + (up ? 1 : 0)) * unit
  return Math.abs(rounded) >= 2 ** 128 ? Math.sign(x) * Number.POSITIVE_INFINITY : rounded
}

/** Normal values of a scale that are bf16 already. */
export function bf16Normals(
  seed: number,
  scale: number,
  ...shape: number[]
): { shape: number[]; data: Float32Array } {
  const size = shape.reduce((a, b) => a * b, 1)
  return { shape, data: random(seed).normals(size, scale).map(bf16) }
}

/** The numbers that a reference computes with: results as they are stored, and sums of products. */
export interface Numbers {
  store(x: number): number
  sum(x: number): number
  /** Memory of n sums, which rounds as `sum` does. */
  sums(n: number): Float32Array | Float64Array
}
export const exact: Numbers = { store: (x) => x, sum: (x) => x, sums: (n) => new Float64Array(n) }
const naive: Numbers = { store: bf16, sum: Math.fround, sums: (n) => new Float32Array(n) }

/** c[i,j] = sum over k of a(i,k) b(k,j), in the order of k. */
export function product(
  { sums }: Numbers,
  [rows, columns, depth]: readonly [number, number, number],
  a: (i: number, k: number) => number,
  b: (k: number, j: number) => number,
): Float64Array {
  const right = new Float64Array(depth * columns)
  for (let k = 0; k < depth; k++) for (let j = 0; j < columns; j++) right[k * columns + j] = b(k, j)
  const c = sums(rows * columns)
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < depth; k++) {
      const v = a(i, k)
      for (let j = 0; j < columns; j++) c[i * columns + j] += v * right[k * columns + j]
    }
  return Float64Array.from(c)
}

export interface Results {
  outputs: ArrayLike<number>[]
  gradients: Record<string, ArrayLike<number>>
}

export interface Bf16Case {
  inputs: Record<string, TestTensor>
  /** Inputs that are given to `build` as bf16; the others stay f32. */
  narrow: readonly string[]
  /** Gives the outputs, of bf16 or f32; the first has a gradient. */
  build(tensors: Record<string, Tensor>, capture: Capture): Tensor[]
  /** The outputs, and the gradients of the inputs for the gradient dy of the first. */
  reference(numbers: Numbers, inputs: Record<string, ArrayLike<number>>, dy: Float32Array): Results
  /** Elements of the first output. */
  size: number
  scalars?: Record<string, number>
}

/**
 * Instruction sets with kernels of bf16 and of 8-bit integers, those in plain C++ included; where another device is judged
 * its name alone, if it has that kernel.
 */
export function narrowIsas(kernel = 'pack_forward'): string[] {
  if (isJudged()) return isTested(kernel) ? testedIsas() : []
  const { isas, emulated } = cpuInfo()
  return wantedSets([...isas, ...emulated])
}

/** Adds `body` for each of them. */
export function onEveryNarrowIsa(
  test: Test,
  name: string,
  body: (isa: string) => Promise<void>,
  kernel?: string,
): void {
  for (const isa of narrowIsas(kernel))
    test(
      `${name} (${isa})`,
      onSet(isa, () => body(isa)),
    )
}

/** Throws unless the largest error is at most `times` that of the naive computation, both against `want`. */
export function asGoodAsNaive(
  name: string,
  found: ArrayLike<number>,
  want: ArrayLike<number>,
  low: ArrayLike<number>,
  times: number,
): void {
  if (found.length !== want.length) fail(`${name}: ${found.length} values, want ${want.length}`)
  let largest = 0
  let ours = 0
  let theirs = 0
  let worst = 0
  for (let i = 0; i < want.length; i++) {
    largest = Math.max(largest, Math.abs(want[i]))
    theirs = Math.max(theirs, Math.abs(low[i] - want[i]))
    const error = Math.abs(found[i] - want[i])
    if (Number.isNaN(error)) fail(`${name}: ${found[i]} at ${i}, want ${want[i]}`)
    if (error > ours) {
      ours = error
      worst = i
    }
  }
  // where nothing is rounded to bf16, both are f32 and sum in another order
  const bound = times * theirs + 1e-6 * largest
  if (!(ours <= bound))
    fail(
      `${name}: the largest error is ${ours.toExponential(2)} at ${worst} (${found[worst]}, want ${want[worst]}), ` +
        `more than ${times} times the naive ${theirs.toExponential(2)}`,
    )
}

/** Adds the tests of a case: accuracy, and the same bits on any number of threads, on every instruction set. */
export function checkBf16(test: Test, name: string, c: Bf16Case): void {
  const data = Object.fromEntries(Object.entries(c.inputs).map(([k, t]) => [k, t.data]))
  const dy = random(name.length).normals(c.size).map(bf16)
  const as = (t: Tensor, to: 'f32' | 'bf16') =>
    t.spec.dtype === to ? t : t.capture.apply(cast, [t], { to })[0]
  const run = (device: Device): Promise<OpResult> =>
    runOp(
      device,
      c.inputs,
      (tensors, capture) => {
        const given = Object.entries(tensors).map(([k, t]) => [k, c.narrow.includes(k) ? as(t, 'bf16') : t])
        return c.build(Object.fromEntries(given), capture).map((t) => as(t, 'f32'))
      },
      [dy],
      { scalars: c.scalars },
    )
  const references = once(() => ({ want: c.reference(exact, data, dy), low: c.reference(naive, data, dy) }))
  onEveryNarrowIsa(test, `bf16, ${name}`, async (isa) => {
    const { want, low } = references()
    const found = await withDevice({ isa, threads: 2 }, run)
    want.outputs.forEach((y, i) => {
      asGoodAsNaive(`output ${i}`, found.outputs[i], y, low.outputs[i], 2)
    })
    for (const [input, g] of Object.entries(want.gradients))
      asGoodAsNaive(`d${input}`, found.gradients[input], g, low.gradients[input], 3)
    for (const threads of isJudged() ? [1] : [1, ...threadCounts.slice(-2)]) {
      const other = await withDevice({ isa, threads }, run)
      found.outputs.forEach((y, i) => {
        sameBits(other.outputs[i], y, { name: `output ${i} on ${threads} threads` })
      })
      for (const [input, g] of Object.entries(found.gradients))
        sameBits(other.gradients[input], g, { name: `d${input} on ${threads} threads` })
    }
  })
}
