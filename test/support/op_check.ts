/**
 * Checks of one op on the CPU device against a float64 oracle that stands in the test: outputs, gradients (central
 * differences of the oracle), the same bits for 1, 2, 3 and 7 threads, rows past a run-time size left alone.
 */
import type { suite } from 'uvu'
import { Capture, Tensor } from '../../src/autograd/tensor.js'
import { cpuInfo, openCpu } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import { dynamic } from '../../src/ops/shape.js'
import { allclose, sameBits } from './allclose.js'
import { once, onThreads, threadCounts } from './cases.js'
import { centralDifferences } from './differences.js'
import { wantedSets } from './instruction_sets.js'
import { type OpResult, runOp, type TestTensor } from './op_case.js'
import { random } from './random.js'
import { onSet } from './tally.js'

type Test = ReturnType<typeof suite>
type Build = (tensors: Record<string, Tensor>, capture: Capture) => Tensor[]

/** What the outputs should be, in float64; inputs by name. */
export type Oracle = (inputs: Record<string, ArrayLike<number>>) => ArrayLike<number>[]

export interface OpCase {
  inputs: Record<string, TestTensor>
  build: Build
  oracle: Oracle
  /** How many of the outputs, from the first, get a gradient (default 1; 0 checks the forward pass only). */
  gradients?: number
  scalars?: Record<string, number>
  rtol?: number
  atol?: number
  gradientRtol?: number
  gradientAtol?: number
}

const holder = globalThis as { [key: symbol]: Device | undefined }
const key = Symbol.for('bioalbert.test.device')

/** From now on the suites of ops judge this device instead of the CPU (test/device/*_ops.test.ts). */
export function judge(device: Device): void {
  holder[key] = device
}

/** Whether another device than the CPU is judged. */
export function isJudged(): boolean {
  return holder[key] !== undefined
}

/** Whether kernels of that name are tested: all on the CPU, else those that the device which is judged has. */
export function isTested(kernel: string): boolean {
  return holder[key]?.supports(kernel) ?? true
}

/** Instruction sets of this processor to be tested here; where another device is judged its name alone. */
export function testedIsas(): string[] {
  const judged = holder[key]
  return judged ? [judged.info.name] : wantedSets(cpuInfo().isas)
}

/** Runs `body` with a CPU device of two threads, once for every instruction set of this processor. */
export function onEveryIsa(test: Test, name: string, body: (device: Device) => Promise<void>): void {
  for (const isa of testedIsas())
    test(
      `${name} (${isa})`,
      onSet(isa, () => withDevice({ isa, threads: 2 }, body)),
    )
}

/** The device that is judged, else a CPU device; `closeAfterTest` closes the latter. */
export function openForTest(options: { isa?: string; threads?: number } = {}): Device {
  return holder[key] ?? openCpu(options)
}

export async function closeAfterTest(device: Device): Promise<void> {
  if (device !== holder[key]) await device.destroy()
}

/** Runs `body` with the device that is judged, else with a CPU device, which is closed. */
export async function withDevice<T>(
  options: { isa?: string; threads?: number },
  body: (device: Device) => Promise<T>,
): Promise<T> {
  const device = openForTest(options)
  try {
    return await body(device)
  } finally {
    await closeAfterTest(device)
  }
}

/** A tensor of normal values. */
export function normals(seed: number, ...shape: number[]): TestTensor {
  return { shape, data: random(seed).normals(shape.reduce((a, b) => a * b, 1)) }
}

/** A tensor of uniform values. */
export function uniforms(seed: number, low: number, high: number, ...shape: number[]): TestTensor {
  return {
    shape,
    data: random(seed).uniforms(
      shape.reduce((a, b) => a * b, 1),
      low,
      high,
    ),
  }
}

/** A tensor of integers in [low, high). */
export function integers(seed: number, low: number, high: number, ...shape: number[]): TestTensor {
  return {
    shape,
    data: random(seed).integers(
      shape.reduce((a, b) => a * b, 1),
      low,
      high,
    ),
  }
}

/** d<outputs, weights>/dx of the oracle by central differences. */
export function differences(
  oracle: Oracle,
  inputs: Record<string, ArrayLike<number>>,
  name: string,
  weights: readonly ArrayLike<number>[],
): Float64Array {
  const weighted = (x: Float64Array) => {
    const outputs = oracle({ ...inputs, [name]: x })
    let s = 0
    weights.forEach((w, k) => {
      for (let i = 0; i < w.length; i++) s += w[i] * outputs[k][i]
    })
    return s
  }
  return centralDifferences(weighted, inputs[name])
}

/** Adds the tests of a case to a suite. */
export function checkOp(test: Test, name: string, c: OpCase): void {
  const data = Object.fromEntries(Object.entries(c.inputs).map(([k, t]) => [k, t.data]))
  const outputs = c.oracle(data)
  const draw = random(name.length)
  const weights = outputs.slice(0, c.gradients ?? 1).map((y) => draw.normals(y.length))
  const run = (device: Device) => runOp(device, c.inputs, c.build, weights, { scalars: c.scalars })
  const gradients = Object.entries(c.inputs)
    .filter(([, tensor]) => weights.length > 0 && tensor.data instanceof Float32Array)
    .map(([input]) => ({ input, want: once(() => differences(c.oracle, data, input, weights)) }))

  onEveryIsa(test, name, async (device) => {
    const result = await run(device)
    outputs.forEach((want, i) => {
      allclose(result.outputs[i], want, {
        rtol: c.rtol ?? 1e-5,
        atol: c.atol ?? 1e-6,
        name: `output ${i}`,
      })
    })
    for (const { input, want } of gradients)
      allclose(result.gradients[input], want(), {
        rtol: c.gradientRtol ?? 1e-4,
        atol: c.gradientAtol ?? 1e-5,
        name: `d${input}`,
      })
  })
  test(`${name}: the same bits ${onThreads}`, () => sameBitsOnThreads(run))
}

/** Throws unless a result has the same bits on several threads as on one; another device than the CPU has to repeat it. */
export async function sameBitsOnThreads(run: (device: Device) => Promise<OpResult>): Promise<void> {
  const one = await withDevice({ threads: 1 }, run)
  for (const threads of isJudged() ? [1] : threadCounts) {
    const other = await withDevice({ threads }, run)
    one.outputs.forEach((y, i) => {
      sameBits(other.outputs[i], y, { name: `output ${i} on ${threads} threads` })
    })
    for (const [input, g] of Object.entries(one.gradients))
      sameBits(other.gradients[input], g, { name: `d${input} on ${threads} threads` })
  }
}

/**
 * Checks a graph of `capacity` rows that runs on `rows` of them: what is there has the bits of a graph made for just
 * so many rows, what is not there keeps the values of the run before. The inputs lead with `capacity` rows, but for the
 * `fixed` ones; `build` gives tensors that lead with rows too.
 */
export async function checkRagged(
  device: Device,
  inputs: Record<string, TestTensor>,
  rows: number,
  build: Build,
  fixed: Record<string, TestTensor> = {},
  scalars: Record<string, number> = {},
): Promise<void> {
  const run = async (
    steps: { rows: number; shift: number }[],
    leading: (n: number) => ReturnType<typeof dynamic> | number,
  ) => {
    const capture = new Capture(new ParameterSet())
    const tensors: Record<string, Tensor> = {}
    for (const [name, { shape, data, dtype }] of Object.entries(inputs))
      tensors[name] = capture.input(
        name,
        [leading(shape[0]), ...shape.slice(1)],
        dtype ?? (data instanceof Float32Array ? 'f32' : 'i32'),
      )
    for (const [name, { shape, data }] of Object.entries(fixed))
      tensors[name] = capture.input(name, shape, data instanceof Float32Array ? 'f32' : 'i32')
    const outputs = build(tensors, capture)
    outputs.forEach((t, i) => {
      capture.output(`y${i}`, t)
    })
    const runtime = new Runtime(device, capture.parameters, { op: capture.graph })
    const results: Float32Array[][] = []
    try {
      for (const step of steps) {
        const data: Record<string, InputData> = Object.fromEntries(
          Object.entries(inputs).map(([name, { shape, data }]) => {
            const size = (data.length / shape[0]) * step.rows
            const shifted = data.slice().fill(0)
            for (let i = 0; i < data.length; i++) shifted[i] = data[(i + step.shift) % data.length]
            return [name, shifted.subarray(0, size)]
          }),
        )
        for (const [name, tensor] of Object.entries(fixed)) data[name] = tensor.data
        await runtime.run('op', data, { ...scalars, rows: step.rows })
        const read: Float32Array[] = []
        for (let i = 0; i < outputs.length; i++) {
          const isInteger = outputs[i].spec.dtype === 'i32'
          const name = `y${i}`
          read.push(
            isInteger
              ? Float32Array.from(await runtime.readIntegers('op', name))
              : await runtime.read('op', name),
          )
        }
        results.push(read)
      }
    } finally {
      runtime.free()
    }
    return results
  }
  const full = Object.values(inputs)[0].shape[0]
  const [all, part] = await run(
    [
      { rows: full, shift: 0 },
      { rows, shift: 1 },
    ],
    (n) => dynamic('rows', n),
  )
  // a graph of no rows has no memory, which not every device can bind
  const alone =
    rows > 0 ? (await run([{ rows, shift: 1 }], () => rows))[0] : all.map(() => new Float32Array())
  part.forEach((y, i) => {
    const there = alone[i].length
    sameBits(y.subarray(0, there), alone[i], { name: `output ${i}, rows that are there` })
    sameBits(y.subarray(there), all[i].subarray(there), { name: `output ${i}, rows that are not there` })
  })
}

/** A view of a tensor in another shape. */
export function reshaped(t: Tensor, shape: readonly number[]): Tensor {
  return new Tensor(t.capture, t.capture.graph.view(t.value, shape))
}
