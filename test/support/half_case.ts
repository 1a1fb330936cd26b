/**
 * Checks of kernels whose activations have two bytes, bf16 or f16: their error against float64 is at most twice (gradients:
 * three times) that of the naive computation, in which operands and every result are rounded to that type and products are
 * summed in f32. One reference of a test computes both, with numbers that round and with numbers that do not. Inputs are
 * rounded already.
 */
import type { suite } from 'uvu'
import type { Capture, Tensor } from '../../src/autograd/tensor.js'
import { cpuInfo } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import { HALF_TYPES, type HalfType, inHalf } from '../../src/device/kernel.js'
import { cast } from '../../src/ops/cast.js'
import type { FloatType } from '../../src/ops/shape.js'
import { sameBits } from './allclose.js'
import { once, threadCounts } from './cases.js'
import { fail } from './failure.js'
import { wantedSets } from './instruction_sets.js'
import { type OpResult, runOp, type TestTensor } from './op_case.js'
import { isJudged, isTested, testedIsas, withDevice } from './op_check.js'
import { random } from './random.js'
import { onSet } from './tally.js'

type Test = ReturnType<typeof suite>

/** The nearest number of so many bits of significand and exponents from `low` to `high`, ties to even; overflow is an infinity. */
function nearest(x: number, bits: number, low: number, high: number): number {
  if (x === 0 || !Number.isFinite(x)) return x
  const exponent = Math.max(low, Math.floor(Math.log2(Math.abs(x))))
  const unit = 2 ** (exponent - bits + 1)
  const below = Math.floor(x / unit)
  const rest = x / unit - below
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0)
  const rounded = (below + (up ? 1 : 0)) * unit
  if (rounded === 0) return x < 0 ? -0 : 0
  return Math.abs(rounded) >= 2 ** (high + 1) ? Math.sign(x) * Number.POSITIVE_INFINITY : rounded
}

export const bf16 = (x: number): number => nearest(x, 8, -126, 127)
export const f16 = (x: number): number => nearest(x, 11, -14, 15)

/** The type of two bytes that the device has which is judged: bf16 of the CPU and CUDA, f16 of WebGPU. */
export function halfType(): HalfType {
  const [, other] = HALF_TYPES
  return isJudged() && isTested(inHalf(cast.forward, other).name) ? other : 'bf16'
}

/** A kernel of devices that have bf16. */
export const BF16_KERNEL = inHalf(cast.forward, 'bf16').name

/** The nearest number of that type. */
export function half(x: number): number {
  return halfType() === 'f16' ? f16(x) : bf16(x)
}

/** What an error of bf16 becomes with that type, which may have more bits. */
export function ofRoundings(error: number): number {
  return halfType() === 'f16' ? error * 2 ** -3 : error
}

/** A width that rows of that type can have: f16 comes by fours. */
export function wide(width: number): number {
  return halfType() === 'f16' ? Math.ceil(width / 4) * 4 : width
}

/** Normal values of a scale that are of that type already. */
export function halfNormals(
  seed: number,
  scale: number,
  ...shape: number[]
): { shape: number[]; data: Float32Array } {
  const size = shape.reduce((a, b) => a * b, 1)
  return { shape, data: random(seed).normals(size, scale).map(half) }
}

/** The numbers that a reference computes with: results as they are stored, and sums of products. */
export interface Numbers {
  store(x: number): number
  sum(x: number): number
  /** Memory of n sums, which rounds as `sum` does. */
  sums(n: number): Float32Array | Float64Array
}
export const exact: Numbers = { store: (x) => x, sum: (x) => x, sums: (n) => new Float64Array(n) }
/** Numbers that `round` stores, and sums of f32. */
export const naive = (round: (x: number) => number): Numbers => ({
  store: round,
  sum: Math.fround,
  sums: (n) => new Float32Array(n),
})

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

export interface HalfCase {
  inputs: Record<string, TestTensor>
  /** Inputs that are given to `build` as such; the others stay f32. */
  narrow: readonly string[]
  /** Gives the outputs, of two bytes or f32; the first has a gradient. */
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
export function narrowIsas(kernel = inHalf(cast.forward, halfType()).name): string[] {
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
  // where nothing is rounded, both are f32 and sum in another order
  const bound = times * theirs + 1e-6 * largest
  if (!(ours <= bound))
    fail(
      `${name}: the largest error is ${ours.toExponential(2)} at ${worst} (${found[worst]}, want ${want[worst]}), ` +
        `more than ${times} times the naive ${theirs.toExponential(2)}`,
    )
}

/** Adds the tests of a case: accuracy, and the same bits on any number of threads, on every instruction set. */
export function checkHalf(test: Test, name: string, c: HalfCase): void {
  const data = Object.fromEntries(Object.entries(c.inputs).map(([k, t]) => [k, t.data]))
  const dy = random(name.length).normals(c.size).map(half)
  const type = halfType()
  const as = (t: Tensor, to: FloatType) => (t.spec.dtype === to ? t : t.capture.apply(cast, [t], { to })[0])
  const run = (device: Device): Promise<OpResult> =>
    runOp(
      device,
      c.inputs,
      (tensors, capture) => {
        const given = Object.entries(tensors).map(([k, t]) => [k, c.narrow.includes(k) ? as(t, type) : t])
        return c.build(Object.fromEntries(given), capture).map((t) => as(t, 'f32'))
      },
      [dy],
      { scalars: c.scalars },
    )
  const references = once(() => ({
    want: c.reference(exact, data, dy),
    low: c.reference(naive(half), data, dy),
  }))
  onEveryNarrowIsa(test, `${type}, ${name}`, async (isa) => {
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
