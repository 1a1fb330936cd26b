/**
 * One op on a device: runs its forward kernel and, with a gradient for its outputs, its backward pass, and hands back
 * everything it computed. Inputs become parameters of a graph, so gradients can be read from the gradient arena;
 * integer inputs stay inputs. Buffers are checked to have been written only where they should by the arenas' gaps.
 */

import { Capture, Tensor } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import type { HalfType } from '../../src/device/kernel.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import { binary } from '../../src/ops/binary.js'
import { contiguous, copy } from '../../src/ops/copy.js'
import { reduce } from '../../src/ops/reduce.js'

export interface TestTensor {
  shape: readonly number[]
  data: InputData
  /** Where it is not the type of the data. */
  dtype?: HalfType
}

export interface OpResult {
  /** Integers as floats. */
  outputs: Float32Array[]
  /** By the name of the input; for f32 inputs when `gradient` was given. */
  gradients: Record<string, Float32Array>
}

/**
 * Runs `build` on a device. f32 inputs are differentiable; `gradients[i]` is the gradient of output i (none: forward only).
 * With `rows` the first dimension of every input named in `ragged` is a run-time size of capacity `rows`, of which the
 * data's own first dimension is there.
 */
export async function runOp(
  device: Device,
  inputs: Record<string, TestTensor>,
  build: (tensors: Record<string, Tensor>, capture: Capture) => Tensor[],
  gradients: readonly Float32Array[] = [],
  options: { scalars?: Record<string, number> } = {},
): Promise<OpResult> {
  const parameters = new ParameterSet()
  const names = Object.keys(inputs)
  for (const name of names)
    if (inputs[name].data instanceof Float32Array) parameters.add(name, inputs[name].shape, { init: zeros })
  const capture = new Capture(parameters)
  const tensors: Record<string, Tensor> = {}
  const data: Record<string, InputData> = {}
  for (const name of names) {
    const { shape, data: values } = inputs[name]
    if (values instanceof Float32Array) tensors[name] = capture.parameter(parameters.get(name))
    else {
      tensors[name] = capture.input(name, shape, values instanceof Int32Array ? 'i32' : 'u32')
      data[name] = values
    }
  }
  const outputs = build(tensors, capture)
  outputs.forEach((t, i) => {
    capture.output(`y${i}`, copyOf(capture, t))
  })
  if (gradients.length > 0) {
    // sum over outputs of <output, gradient>: its backward pass sends exactly `gradient` into each output
    let loss: Tensor | undefined
    gradients.forEach((g, i) => {
      const given = capture.input(`gradient${i}`, [g.length])
      data[`gradient${i}`] = g
      const flat = new Tensor(capture, capture.graph.view(outputs[i].value, [g.length]))
      const [weighted] = capture.apply(binary, [flat, given], { fn: 'mul' })
      const [sum] = capture.apply(reduce, [weighted], { fn: 'sum', axis: 0, keep: true })
      loss = loss ? capture.apply(binary, [loss, sum], { fn: 'add' })[0] : sum
    })
    capture.backward(loss!)
  }
  const runtime = new Runtime(device, parameters, { op: capture.graph })
  try {
    const state = new Float32Array(parameters.arenaElements)
    for (const name of names)
      if (parameters.has(name)) state.set(inputs[name].data as Float32Array, parameters.get(name).offset)
    await runtime.writeState('parameters', state)
    await runtime.run('op', data, options.scalars)
    const result: OpResult = { outputs: [], gradients: {} }
    for (let i = 0; i < outputs.length; i++) {
      const isInteger = outputs[i].spec.dtype === 'i32'
      const name = `y${i}`
      result.outputs.push(
        isInteger
          ? Float32Array.from(await runtime.readIntegers('op', name))
          : await runtime.read('op', name),
      )
    }
    if (gradients.length > 0) {
      const all = await runtime.readState('gradients')
      for (const p of parameters.all) result.gradients[p.name] = all.slice(p.offset, p.offset + p.size)
    }
    return result
  } finally {
    runtime.free()
  }
}

/** A copy that the backward pass cannot overwrite and that is read back whole. */
function copyOf(capture: Capture, t: Tensor): Tensor {
  return capture.apply(copy, [t], { shape: t.shape, strides: contiguous(t.shape), offset: 0 })[0]
}
