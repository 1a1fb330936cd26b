/**
 * One kernel on a device, with every buffer in the test's hand: what is given is written, what is not starts as NaN, and
 * everything is read back. Sentinel words stand behind each buffer; a kernel that touches them fails.
 */
import { Capture } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import type { HalfType, Kernel } from '../../src/device/kernel.js'
import type { GraphValue } from '../../src/graph/graph.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import type { Attrs, Op } from '../../src/ops/op.js'
import { type Dim, elements, type Spec } from '../../src/ops/shape.js'
import { fail } from './failure.js'

export interface KernelBuffer {
  shape: readonly Dim[]
  /** May be shorter than the shape at capacity: the rest starts as NaN (zero for integers). */
  data?: Float32Array | Int32Array
  /** Where it is not the type of the data; data of two bytes are given and returned as f32. */
  dtype?: HalfType
}

const sentinel = 64
/** A bf16 and an f16 too. */
const mark = 0x5e00

/** Buffers by name after the kernel has run. Buffers of the op's inputs and outputs tell the sizes, so all are named. */
export async function runKernel<A extends Attrs>(
  device: Device,
  op: Op<A>,
  kernel: Kernel,
  buffers: Readonly<Record<string, KernelBuffer>>,
  attrs: A,
  scalars: Readonly<Record<string, number>> = {},
): Promise<Record<string, Float32Array>> {
  const capture = new Capture(new ParameterSet())
  const { graph } = capture
  const specs: Record<string, Spec> = {}
  for (const [name, { shape, data, dtype }] of Object.entries(buffers))
    specs[name] = { shape, dtype: dtype ?? (data instanceof Int32Array ? 'i32' : 'f32') }
  const all = { ...(op.temporaries?.(specs, attrs) ?? {}), ...specs }
  const whole: Record<string, GraphValue> = {}
  const bound: Record<string, GraphValue> = {}
  const inputs: Record<string, InputData> = {}
  for (const [name, spec] of Object.entries(all)) {
    const size = elements(spec)
    whole[name] = graph.input(name, { shape: [size + sentinel], dtype: spec.dtype })
    bound[name] = graph.within(graph.root, () =>
      graph.value(spec, { kind: 'view', base: whole[name], offset: 0 }, false, name),
    )
    const start =
      spec.dtype === 'i32'
        ? new Int32Array(size + sentinel)
        : new Float32Array(size + sentinel).fill(Number.NaN)
    const data = buffers[name]?.data
    if (data) start.set(data)
    start.fill(mark, size)
    inputs[name] = start
  }
  graph.call(op, kernel, bound, attrs)
  for (const [name, value] of Object.entries(whole)) graph.output(name, value)
  const runtime = new Runtime(device, capture.parameters, { kernel: graph })
  try {
    await runtime.run('kernel', inputs, scalars)
    const result: Record<string, Float32Array> = {}
    for (const name of Object.keys(whole)) {
      const size = elements(all[name])
      const integers = all[name].dtype === 'i32' ? await runtime.readIntegers('kernel', name) : undefined
      const values = integers
        ? new Float32Array(integers.buffer as ArrayBuffer)
        : await runtime.read('kernel', name)
      const behind = integers ?? values
      if (behind.subarray(size).some((v) => v !== mark))
        fail(`${kernel.name} wrote behind the end of ${name} (${size} elements)`)
      result[name] = values.subarray(0, size)
    }
    return result
  } finally {
    runtime.free()
  }
}
