import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture, Tensor } from '../../src/autograd/tensor.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { binary } from '../../src/ops/binary.js'
import { copy } from '../../src/ops/copy.js'
import { reduce } from '../../src/ops/reduce.js'
import { unary } from '../../src/ops/unary.js'
import { allclose } from '../support/allclose.js'
import { checkOp, normals, reshaped, uniforms, withDevice } from '../support/op_check.js'

const test = suite('backward')

const mul = (a: Tensor, b: Tensor) => a.capture.apply(binary, [a, b], { fn: 'mul' })[0]
const add = (a: Tensor, b: Tensor) => a.capture.apply(binary, [a, b], { fn: 'add' })[0]
const tanh = (x: Tensor) => x.capture.apply(unary, [x], { fn: 'tanh' })[0]
const sum = (x: Tensor) => x.capture.apply(reduce, [x], { fn: 'sum', axis: 0, keep: true })[0]

checkOp(test, 'a value used twice gets both gradients', {
  inputs: { x: normals(1, 3, 5) },
  build: ({ x }) => {
    const t = tanh(x)
    return [mul(t, add(t, x))]
  },
  oracle: ({ x }) => [Float64Array.from(x, (v) => Math.tanh(v) * (Math.tanh(v) + v))],
})

checkOp(test, 'x + x and x * x', {
  inputs: { x: normals(2, 7) },
  build: ({ x }) => [mul(add(x, x), x)],
  oracle: ({ x }) => [Float64Array.from(x, (v) => 2 * v * v)],
})

checkOp(test, 'several outputs add up', {
  inputs: { x: normals(3, 6), w: normals(4, 6) },
  build: ({ x, w }) => {
    const t = tanh(mul(x, w))
    return [t, mul(t, t), add(t, x)]
  },
  oracle: ({ x, w }) => {
    const t = Float64Array.from(x, (v, i) => Math.tanh(v * w[i]))
    return [t, t.map((v) => v * v), t.map((v, i) => v + x[i])]
  },
  gradients: 3,
})

checkOp(test, 'gradients flow through views and copies', {
  inputs: { x: normals(5, 2, 3, 4) },
  build: ({ x }) => {
    const t = tanh(reshaped(x, [6, 4]))
    // transposed, then the two middle rows
    const [transposed] = t.capture.apply(copy, [t], { shape: [4, 6], strides: [1, 4], offset: 0 })
    const [rows] = t.capture.apply(copy, [transposed], { shape: [2, 6], strides: [6, 1], offset: 6 })
    return [mul(rows, reshaped(rows, [2, 6]))]
  },
  oracle: ({ x }) => {
    const y = new Float64Array(12)
    for (let r = 0; r < 2; r++) for (let c = 0; c < 6; c++) y[r * 6 + c] = Math.tanh(x[c * 4 + r + 1]) ** 2
    return [y]
  },
})

checkOp(test, 'a part of a tensor, as a view, sends its gradient to that part', {
  inputs: { x: normals(6, 4, 64), w: uniforms(7, 0.5, 2, 64) },
  build: ({ x, w }) => {
    const part = (row: number) => new Tensor(x.capture, x.capture.graph.view(tanh(x).value, [64], row * 64))
    return [mul(part(1), w), add(part(3), part(1))]
  },
  oracle: ({ x, w }) => {
    const t = Float64Array.from(x, Math.tanh)
    return [
      Float64Array.from(w, (v, i) => v * t[64 + i]),
      Float64Array.from(w, (_, i) => t[192 + i] + t[64 + i]),
    ]
  },
  gradients: 2,
})

checkOp(test, 'a part of a parameter, as a view, sends its gradient to that part', {
  inputs: { x: normals(8, 3, 64) },
  build: ({ x }) => {
    const part = (row: number) => new Tensor(x.capture, x.capture.graph.view(x.value, [64], row * 64))
    return [mul(part(2), part(0)), tanh(part(2))]
  },
  oracle: ({ x }) => [
    Float64Array.from({ length: 64 }, (_, i) => x[128 + i] * x[i]),
    Float64Array.from({ length: 64 }, (_, i) => Math.tanh(x[128 + i])),
  ],
  gradients: 2,
})

/** loss = sum(tanh(w x) f) with w a parameter, and f a second one that is frozen. */
function small() {
  const parameters = new ParameterSet()
  const w = parameters.add('w', [5], { init: zeros })
  const f = parameters.add('f', [5], { init: zeros, trainable: false })
  const capture = new Capture(parameters)
  const x = capture.input('x', [5])
  const loss = sum(mul(tanh(mul(capture.parameter(w), x)), capture.parameter(f)))
  capture.output('loss', loss)
  return { parameters, capture, loss, w, f }
}

const values = {
  w: Float32Array.of(0.1, -0.5, 1, 2, 0.3),
  f: Float32Array.of(1, 2, -1, 0.5, 3),
  x: Float32Array.of(1, 0.2, -0.7, 0.4, 2),
}
const expected = (seed: number) =>
  values.w.map((w, i) => seed * values.f[i] * values.x[i] * (1 - Math.tanh(w * values.x[i]) ** 2))

test('gradients of two runs add up, those of what is frozen stay zero', () =>
  withDevice({ threads: 2 }, async (device) => {
    const { parameters, capture, loss, w, f } = small()
    capture.backward(loss)
    const runtime = new Runtime(device, parameters, { step: capture.graph })
    const state = new Float32Array(parameters.arenaElements)
    state.set(values.w, w.offset)
    state.set(values.f, f.offset)
    await runtime.writeState('parameters', state)
    for (let k = 1; k <= 3; k++) {
      await runtime.run('step', { x: values.x })
      const gradients = await runtime.readState('gradients')
      const want = new Float32Array(parameters.arenaElements)
      want.set(expected(k), w.offset)
      allclose(gradients, want)
    }
    runtime.free()
  }))

test('the seed scales every gradient', () =>
  withDevice({ threads: 2 }, async (device) => {
    const { parameters, capture, loss, w, f } = small()
    capture.backward(loss, 128)
    const runtime = new Runtime(device, parameters, { step: capture.graph })
    const state = new Float32Array(parameters.arenaElements)
    state.set(values.w, w.offset)
    state.set(values.f, f.offset)
    await runtime.writeState('parameters', state)
    await runtime.run('step', { x: values.x })
    allclose((await runtime.readState('gradients')).subarray(w.offset, w.offset + 5), expected(128))
    runtime.free()
  }))

test('a loss of several elements, or of no parameter, is refused', () => {
  const { capture } = small()
  const x = capture.input('z', [2])
  assert.throws(() => capture.backward(x), /loss is \[2\] \(want one element\)/)
  assert.throws(() => capture.backward(sum(x)), /the loss depends on no parameter/)
})

test.run()
