/**
 * One op by itself, on any device, in Node and in a page: a graph of the op and its backward pass, cut into a program for each.
 * Both are first compared with a float64 oracle on sampled elements. Operands of role `activation` get a gradient that
 * is written, a `weight` one that accumulates in the arena of gradients, a `fixed` operand none; in-place ops
 * change fixed operands. A `packed` or `packed_int8` operand is a weight that is packed before anything is timed.
 */
import { backward } from '../../src/autograd/backward.js'
import { Capture } from '../../src/autograd/tensor.js'
import type { Device, DeviceBuffer, Prepared } from '../../src/device/device.js'
import { fromHalf, toHalf } from '../../src/device/half.js'
import type { HalfType, Products } from '../../src/device/kernel.js'
import { calls, type Program } from '../../src/device/program.js'
import type { GraphValue } from '../../src/graph/graph.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { compile, type InputData } from '../../src/graph/runtime.js'
import { contiguous, copy } from '../../src/ops/copy.js'
import { fill } from '../../src/ops/fill.js'
import { type Attrs, defineOp, type Op } from '../../src/ops/op.js'
import { pack } from '../../src/ops/pack.js'
import { packInt8 } from '../../src/ops/pack_int8.js'
import { byteSize, f32, isHalf, type Spec } from '../../src/ops/shape.js'
import { philox } from '../../test/support/philox.js'
import { type Random, random } from '../../test/support/random.js'

export interface Operand {
  readonly role: 'activation' | 'weight' | 'packed' | 'packed_int8' | 'fixed'
  /** Of two bytes: the data are rounded first. Default: the type of the data, and bf16 of what is packed. */
  readonly dtype?: HalfType
  readonly shape: readonly number[]
  /** Uniform in [-sqrt 3, sqrt 3) if left out: mean 0, variance 1. */
  readonly data?: InputData
}

export const activation = (...shape: number[]): Operand => ({ role: 'activation', shape })
export const narrow = (...shape: number[]): Operand => ({ role: 'activation', shape, dtype: 'bf16' })
export const packed = (...shape: number[]): Operand => ({ role: 'packed', shape })
export const packedInt8 = (...shape: number[]): Operand => ({ role: 'packed_int8', shape })
/** As `narrow` and `packed`, of f16. */
export const narrowF16 = (...shape: number[]): Operand => ({ ...narrow(...shape), dtype: 'f16' })
export const packedF16 = (...shape: number[]): Operand => ({ ...packed(...shape), dtype: 'f16' })
export const weight = (...shape: number[]): Operand => ({ role: 'weight', shape })
export const fixed = (data: InputData, ...shape: number[]): Operand => ({ role: 'fixed', shape, data })
/** i32 uniform in [low, high). */
export const indexes = (low: number, high: number, n: number): Operand =>
  fixed(random(n).integers(n, low, high), n)

/** What element i of a result should be, in float64. */
export type Expected = (i: number) => number

export interface OpBench<A extends Attrs> {
  readonly inputs: Readonly<Record<string, Operand>>
  readonly attrs: A
  /**
   * What to expect of results by name: outputs, `d<input>`, and inputs that the op changes. `data` has the inputs and, as
   * `d<output>`, the gradient that arrives at the first output. What is left out is not compared.
   */
  expected(data: Readonly<Record<string, InputData>>): Readonly<Record<string, Expected>>
  /** An element to compare, where those of interest are rare. */
  sample?(name: string, draw: Random): number | undefined
  readonly scalars?: Readonly<Record<string, number>>
}

/** Results of so many elements are compared, the first and the last among them. */
const samples = 16
const tolerance = { forward: 2e-5, backward: 1e-4 }
/** Of results that are f16. */
const toleranceF16 = { forward: 3e-3, backward: 4e-3 }
/** Of results that are bf16, or made of operands that are rounded to it or to 8-bit integers. */
const tolerance16 = { forward: 2e-2, backward: 3e-2 }

/** Compares what a part has computed in its first run with the oracle. */
export async function checkPart<A extends Attrs>(
  label: string,
  op: Op<A>,
  options: Pick<OpBench<A>, 'expected' | 'sample'>,
  { data, values, read }: Pick<PreparedOp, 'data' | 'values' | 'read'>,
  part: 'forward' | 'backward',
): Promise<void> {
  const isLow = [...values.values()].some(({ spec }) => ['bf16', 'packed_int8'].includes(spec.dtype))
  const isF16 = [...values.values()].some(({ spec }) => spec.dtype === 'f16')
  const expected = options.expected(data)
  const names = Object.keys(expected).filter(
    (key) => values.has(key) && isGradient(key, op) === (part !== 'forward'),
  )
  if (names.length === 0) throw new Error(`${label}: nothing of ${part} is compared`)
  for (const key of names)
    compare(
      `${label}: ${key}`,
      await read(key),
      expected[key],
      (isLow ? tolerance16 : isF16 ? toleranceF16 : tolerance)[part],
      (r) => options.sample?.(key, r),
    )
}

/** Whether a factor of the dropout masks of a bench is 0 or 1 / (1 - p): element e of a plane (kernels/cpu/philox.h). */
export function dropoutFactor(p: number, stream: number, plane: number, e: number): number {
  if (p === 0) return 1
  const words = philox([Math.floor(e / 4), plane, stream * 65536, draw], [seed, 0xb10a1be7])
  return words[e % 4] >= Math.floor(Math.fround(p) * 2 ** 32) ? 1 / (1 - p) : 0
}

/** Sum of f(0) .. f(n - 1). */
export function sum(n: number, f: (i: number) => number): number {
  let s = 0
  for (let i = 0; i < n; i++) s += f(i)
  return s
}

/** Computes each f(i) once. */
export function once<T>(f: (i: number) => T): (i: number) => T {
  const known = new Map<number, T>()
  return (i) => {
    let value = known.get(i)
    if (value === undefined) {
      value = f(i)
      known.set(i, value)
    }
    return value
  }
}

const seed = 1
const draw = 3
/** Run-time scalars that ops with dropout ask for. */
export const dropoutScalars = { seed, draw }

/** An operand as the op sees it, whose gradient is kept for the comparison. */
function leafOp(keep: (gradient: GraphValue) => void) {
  return defineOp<Record<string, never>>({
    name: 'leaf',
    inputs: ['x'],
    outputs: ['y'],
    infer: ([x]) => [x],
    params: ({ x }) => copy.params({ x }, { shape: x.shape, strides: contiguous(x.shape), offset: 0 }),
    forward: copy.forward,
    gradient: (scope) => keep(scope.incoming('y') as GraphValue),
    flops: () => 0,
  })
}

/** A number whose gradient is `gradient` with respect to `result`. */
const start = defineOp<Record<string, never>>({
  name: 'start',
  inputs: ['result', 'gradient'],
  outputs: ['y'],
  infer: () => [f32(1)],
  params: () => ({ count: 1, value: 0 }),
  forward: fill.forward,
  gradient: (scope) => scope.give('result', scope.value('gradient')),
  flops: () => 0,
})

export interface Part {
  /** Undefined where there is nothing to run. */
  prepared?: Prepared
  /** The same `count` times over in one run, for devices on which a run is worth more than one op. */
  repeated(count: number): Prepared
  /** What its kernels have to do, as the ops declare it. */
  flops: number
  products?: Products
  bytes: number
}

export interface PreparedOp {
  readonly data: Readonly<Record<string, InputData>>
  readonly values: ReadonlyMap<string, GraphValue>
  readonly parts: Readonly<Record<'forward' | 'backward', Part>>
  /** The calls of kernels whose names begin so, apart from the others; throws where there is none. */
  kernels(prefix: string): Part
  read(name: string): Promise<InputData>
  /** Gives back its memory. */
  free(): void
}

/**
 * Captures an op and its backward pass, fills its operands, and cuts the program into the two. `read` gives a value by
 * its name: operands, outputs, `d<operand>`.
 */
export async function prepareOp<A extends Attrs>(
  device: Device,
  op: Op<A>,
  { inputs, attrs, scalars }: Pick<OpBench<A>, 'inputs' | 'attrs' | 'scalars'>,
): Promise<PreparedOp> {
  const parameters = new ParameterSet()
  for (const name of op.inputs)
    if (['weight', 'packed', 'packed_int8'].includes(inputs[name].role))
      parameters.add(name, inputs[name].shape, { init: zeros })
  const capture = new Capture(parameters)
  const { graph } = capture
  const data: Record<string, InputData> = {}
  /** What is written before the first run. */
  const filled: [GraphValue, InputData][] = []
  const values = new Map<string, GraphValue>()

  const operands = op.inputs.map((name, i) => {
    const { role, shape, dtype } = inputs[name]
    const given = inputs[name].data ?? uniform(i + 1, shape)
    data[name] = dtype && role === 'activation' ? rounded(given, dtype) : given
    if (role === 'weight' || role === 'packed' || role === 'packed_int8') {
      const value = capture.parameter(parameters.get(name)).value
      filled.push([value, data[name]])
      if (role === 'packed_int8') return graph.emit(packInt8, [value], {})[0]
      return role === 'weight' ? value : graph.emit(pack, [value], { to: dtype ?? 'bf16', gradient: true })[0]
    }
    const spec: Spec = { shape, dtype: dtype ?? (data[name] instanceof Float32Array ? 'f32' : 'i32') }
    const raw = graph.value(spec, { kind: 'input', name }, role === 'activation', name, graph.root)
    graph.inputs.set(name, raw)
    filled.push([raw, data[name]])
    return role === 'activation'
      ? graph.emit(
          leafOp((gradient) => values.set(`d${name}`, gradient)),
          [raw],
          {},
        )[0]
      : raw
  })
  op.inputs.forEach((name, i) => {
    values.set(name, operands[i])
  })
  const first = graph.root.nodes.length
  const outputs = graph.emit(op, operands, attrs)
  op.outputs.forEach((name, i) => {
    values.set(name, outputs[i])
  })
  const end = graph.root.nodes.length
  let backwardFirst = end
  if (outputs[0]?.differentiable) {
    const name = `d${op.outputs[0]}`
    const arriving = graph.input(name, outputs[0].spec)
    const gradient = uniform(99, arriving.spec.shape as number[])
    const { dtype } = arriving.spec
    data[name] = isHalf(dtype) ? rounded(gradient, dtype) : gradient
    filled.push([arriving, data[name]])
    values.set(name, arriving)
    const loss = capture.graph.emit(start, [outputs[0], arriving], {})[0]
    graph.output('loss', loss)
    backwardFirst = graph.root.nodes.length + 1 // after the 1 that backward starts from
    backward(graph, loss)
    for (const p of parameters.all) {
      const { name, offset, shape } = p
      values.set(`d${name}`, graph.state('gradients', `d${name}`, offset, f32(...shape), false))
    }
  }
  // nothing may take the memory of what a later run reads
  for (const [name, value] of values) graph.output(name, value)

  const { plan, program } = compile({ [op.name]: graph }).get(op.name)!
  const buffers = new Map<string, DeviceBuffer>()
  for (const arena of program.arenas) buffers.set(arena.name, device.alloc(arena.bytes, arena.name))
  const part = (from: number, to: number): Part => partOf(program.steps.slice(from, to))
  const partOf = (steps: Program['steps']): Part => {
    const cut: Program = { ...program, steps }
    const list = [...calls(cut)]
    const work = list.map((call) => call.work!({}))
    const products = list.find(({ kernel }) => kernel.products)?.kernel.products
    const total = (key: 'flops' | 'bytes') => sum(work.length, (i) => work[i][key])
    const prepare = (count: number) =>
      device.prepare({ ...cut, steps: Array.from({ length: count }, () => cut.steps).flat() }, [
        ...buffers.values(),
      ])
    const prepared = cut.steps.length === 0 ? undefined : prepare(1)
    return { prepared, repeated: prepare, flops: total('flops'), products, bytes: total('bytes') }
  }
  for (const [value, content] of filled) {
    const { arena, offset } = plan.place(value)
    const { dtype } = value.spec
    const stored = isHalf(dtype) ? toHalf(content as Float32Array, dtype) : content
    await device.write(buffers.get(arena)!, offset, stored)
  }
  const leaves = part(0, first)
  if (leaves.prepared) await device.run(leaves.prepared, { seed, draw, ...scalars })
  return {
    data,
    values,
    parts: { forward: part(first, end), backward: part(backwardFirst, graph.root.nodes.length) },
    kernels(prefix) {
      const steps = program.steps
        .slice(first)
        .filter((step) => step.kind === 'call' && step.kernel.name.startsWith(prefix))
      if (steps.length === 0) throw new Error(`${op.name} runs no kernel ${prefix}`)
      return partOf(steps)
    },
    free: () => {
      for (const buffer of buffers.values()) device.free(buffer)
    },
    async read(name: string): Promise<InputData> {
      const value = values.get(name)!
      const { arena, offset } = plan.place(value)
      const { dtype } = value.spec
      const bytes = await device.read(buffers.get(arena)!, offset, byteSize(value.spec))
      if (isHalf(dtype)) return fromHalf(new Uint16Array(bytes), dtype)
      return dtype === 'f32' ? new Float32Array(bytes) : new Int32Array(bytes)
    },
  }
}

/** The values that a type of two bytes has of these. */
function rounded(data: InputData, type: HalfType): Float32Array {
  return fromHalf(toHalf(data as Float32Array, type), type)
}

function isGradient(name: string, op: { inputs: readonly string[] }): boolean {
  return op.inputs.some((input) => name === `d${input}`)
}

/** Of large tensors the values repeat after TABLE of them, a prime, because drawing takes longer than what is timed. */
export function uniform(seed: number, shape: readonly number[]): Float32Array {
  const r = random(seed)
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
  const drawn = data.length > LARGE ? TABLE : data.length
  for (let i = 0; i < drawn; i++) data[i] = r.uniform(-Math.sqrt(3), Math.sqrt(3))
  for (let n = drawn; n < data.length; n *= 2) data.copyWithin(n, 0, n)
  return data
}

const LARGE = 1 << 24
const TABLE = 1_048_573

/** Throws unless sampled elements are as expected, up to a share of their value and of their root mean square. */
function compare(
  label: string,
  found: InputData,
  expected: Expected,
  tolerance: number,
  sample: (draw: Random) => number | undefined,
): void {
  const r = random(label.length)
  const at = Array.from({ length: samples }, () => sample(r) ?? r.integer(found.length))
  at.push(0, found.length - 1)
  const want = at.map(expected)
  const rms = Math.sqrt(want.reduce((n, v) => n + v * v, 0) / want.length)
  at.forEach((i, k) => {
    if (!(Math.abs(found[i] - want[k]) <= tolerance * (Math.abs(want[k]) + rms)))
      throw new Error(`${label}[${i}] is ${found[i]} (want ${want[k]})`)
  })
}
