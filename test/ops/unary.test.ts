import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type UnaryFunction, unary } from '../../src/ops/unary.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, onEveryIsa, uniforms, withDevice } from '../support/op_check.js'
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
  silu: [(x) => x / (1 + Math.exp(-x)), -8, 8],
  log1p: [Math.log1p, -0.9, 8],
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
  allclose((await values('silu')).subarray(0, 4), [0, 200, 0, Infinity])
  for (const fn of ['log', 'log1p'] as const) {
    const y = await values(fn)
    assert.ok(Number.isNaN(y[0]) && Number.isNaN(y[2]) && y[3] === Infinity, fn)
  }
  const e = await values('exp')
  assert.is(e[0], 0)
  assert.is(e[2], 0)
  assert.ok(e[1] > 1e38 && e[3] > 1e38)
  for (const fn of Object.keys(functions) as UnaryFunction[])
    assert.ok(Number.isNaN((await values(fn))[4]), fn)
})

onEveryIsa(test, 'log1p keeps its digits near 0, and has its ends', async (device) => {
  const tiny = [1e-30, -1e-30, 1e-10, 3e-7, -3e-7, 1e-4, -0.02, 0.05, -0.49, -0.51, 0.99, 1.01, 1e6, 3e30]
  const x = { shape: [tiny.length + 3], data: Float32Array.of(...tiny, 0, -1, Infinity) }
  const { outputs, gradients } = await runOp(
    device,
    { x },
    ({ x }, capture) => capture.apply(unary, [x], { fn: 'log1p' }),
    [new Float32Array(x.data.length).fill(1)],
  )
  const given = Array.from(x.data)
  // relative errors alone: an absolute one would hide the small values
  allclose(outputs[0], given.map(Math.log1p), { rtol: 5e-7, atol: 0 })
  allclose(
    gradients.x,
    given.map((v) => 1 / (1 + v)),
    { rtol: 1e-6, atol: 0 },
  )
})

onEveryIsa(
  test,
  'silu has no cancellation on the far left, and slopes of 0 and 1 at the ends',
  async (device) => {
    const x = { shape: [6], data: Float32Array.of(-40, -20, -1e5, 1e5, -Infinity, Infinity) }
    const { outputs, gradients } = await runOp(
      device,
      { x },
      ({ x }, capture) => capture.apply(unary, [x], { fn: 'silu' }),
      [new Float32Array(6).fill(1)],
    )
    allclose(outputs[0].subarray(0, 2), [-40 * Math.exp(-40), -20 / (1 + Math.exp(20))], {
      rtol: 1e-5,
      atol: 0,
    })
    allclose(gradients.x.subarray(0, 2), [-39 * Math.exp(-40), -19 * Math.exp(-20)], { rtol: 1e-5, atol: 0 })
    allclose(gradients.x.subarray(2), [0, 1, 0, 1])
  },
)

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
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(unary, [x], { fn: 'gelu' }),
    ),
  ))

test.run()
