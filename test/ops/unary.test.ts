import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type UnaryFunction, unary } from '../../src/ops/unary.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, onEveryIsa, uniforms, withCpu } from '../support/op_check.js'
import { opsGolden } from '../support/ops_golden.js'

const test = suite('unary')

/** In float64, with the range to draw x from. */
const functions: Record<UnaryFunction, [(x: number) => number, number, number]> = {
  neg: [(x) => -x, -3, 3],
  exp: [Math.exp, -6, 6],
  log: [Math.log, 0.1, 8],
  sqrt: [Math.sqrt, 0.1, 8],
  rsqrt: [(x) => 1 / Math.sqrt(x), 0.1, 8],
  tanh: [Math.tanh, -5, 5],
  relu: [(x) => Math.max(x, 0), -3, 3],
  gelu: [(x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))), -5, 5],
  sigmoid: [(x) => 1 / (1 + Math.exp(-x)), -8, 8],
  abs: [Math.abs, -3, 3],
  square: [(x) => x * x, -3, 3],
  reciprocal: [(x) => 1 / x, 0.2, 5],
  sin: [Math.sin, -7, 7],
  cos: [Math.cos, -7, 7],
}

for (const [fn, [f, low, high]] of Object.entries(functions) as [
  UnaryFunction,
  [(x: number) => number, number, number],
][])
  for (const shape of [[1], [3, 7], [5, 2, 13]])
    checkOp(test, `${fn} of [${shape}]`, {
      inputs: { x: uniforms(shape.length, low, high, ...shape) },
      build: ({ x }, capture) => capture.apply(unary, [x], { fn }),
      oracle: ({ x }) => [Float64Array.from(x, f)],
    })

onEveryIsa(test, 'more elements than one task', async (device) => {
  const x = normals(5, 50001)
  const { outputs } = await runOp(device, { x }, ({ x }, capture) =>
    capture.apply(unary, [x], { fn: 'tanh' }),
  )
  allclose(
    outputs[0],
    Array.from(x.data as Float32Array, (v) => Math.tanh(v)),
  )
})

onEveryIsa(test, 'far values saturate and a NaN stays one', async (device) => {
  const x = { shape: [5], data: Float32Array.of(-200, 200, -Infinity, Infinity, Number.NaN) }
  const values = async (fn: UnaryFunction) =>
    (await runOp(device, { x }, ({ x }, capture) => capture.apply(unary, [x], { fn }))).outputs[0]
  allclose((await values('tanh')).subarray(0, 4), [-1, 1, -1, 1])
  allclose((await values('sigmoid')).subarray(0, 4), [0, 1, 0, 1])
  allclose((await values('relu')).subarray(0, 2), [0, 200])
  const e = await values('exp')
  assert.is(e[0], 0)
  assert.is(e[2], 0)
  assert.ok(e[1] > 1e38 && e[3] > 1e38)
  for (const fn of Object.keys(functions) as UnaryFunction[])
    assert.ok(Number.isNaN((await values(fn))[4]), fn)
})

onEveryIsa(test, 'gelu of PyTorch, far values too', async (device) => {
  const golden = opsGolden('gelu')
  const { outputs, gradients } = await runOp(
    device,
    { x: golden.tensor('x') },
    ({ x }, capture) => capture.apply(unary, [x], { fn: 'gelu' }),
    [golden.floats('dy')],
  )
  allclose(outputs[0], golden.floats('y'))
  // 1 + tanh cancels on the far left, to about 1e-6 of dy on WebGPU, whose tanh is the driver's
  allclose(gradients.x, golden.floats('dx'), { rtol: 1e-4, atol: 3e-6 })
})

onEveryIsa(test, 'relu and abs have derivative 0 at 0', async (device) => {
  const x = { shape: [1], data: Float32Array.of(0) }
  for (const fn of ['relu', 'abs'] as const) {
    const { gradients } = await runOp(device, { x }, ({ x }, capture) => capture.apply(unary, [x], { fn }), [
      Float32Array.of(3),
    ])
    assert.is(gradients.x[0], 0)
  }
})

test('rows past the run-time size stay as they are', () =>
  withCpu({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(unary, [x], { fn: 'gelu' }),
    ),
  ))

test.run()
