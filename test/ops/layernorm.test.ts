import { suite } from 'uvu'
import { layernorm } from '../../src/ops/layernorm.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, type Oracle, onEveryIsa, withDevice } from '../support/op_check.js'
import { opsGolden } from '../support/ops_golden.js'

const test = suite('layernorm')

/** y, mean, rstd in float64. */
function oracle(hidden: number, eps: number): Oracle {
  return ({ x, weight, bias }) => {
    const rows = x.length / hidden
    const y = new Float64Array(x.length)
    const mean = new Float64Array(rows)
    const rstd = new Float64Array(rows)
    for (let n = 0; n < rows; n++) {
      let s = 0
      for (let h = 0; h < hidden; h++) s += x[n * hidden + h]
      mean[n] = s / hidden
      let q = 0
      for (let h = 0; h < hidden; h++) q += (x[n * hidden + h] - mean[n]) ** 2
      rstd[n] = 1 / Math.sqrt(q / hidden + eps)
      for (let h = 0; h < hidden; h++)
        y[n * hidden + h] = (x[n * hidden + h] - mean[n]) * rstd[n] * weight[h] + bias[h]
    }
    return [y, mean, rstd]
  }
}

for (const [rows, hidden] of [
  [1, 2],
  [3, 5],
  [5, 16],
  [7, 37],
  [131, 8],
  [2, 256],
  [2, 520],
  [2, 260],
  [1, 1028],
  [1, 257],
])
  checkOp(test, `[${rows},${hidden}]: outputs and gradients`, {
    inputs: {
      x: normals(1, rows, hidden),
      weight: normals(2, hidden),
      bias: normals(3, hidden),
    },
    build: ({ x, weight, bias }, capture) => capture.apply(layernorm, [x, weight, bias], { eps: 1e-3 }),
    oracle: oracle(hidden, 1e-3),
    rtol: 2e-5,
    atol: 2e-6,
  })

onEveryIsa(test, 'gradients of weight and bias are sums over rows, be they many', async (device) => {
  for (const [rows, hidden] of [
    [1100, 3],
    [2113, 8],
  ]) {
    const inputs = { x: normals(1, rows, hidden), weight: normals(2, hidden), bias: normals(3, hidden) }
    const dy = normals(4, rows, hidden).data as Float32Array
    const { gradients } = await runOp(
      device,
      inputs,
      ({ x, weight, bias }, capture) => capture.apply(layernorm, [x, weight, bias], { eps: 1e-3 }),
      [dy],
    )
    const ones = new Float64Array(hidden).fill(1)
    const [hat] = oracle(hidden, 1e-3)({ x: inputs.x.data, weight: ones, bias: new Float64Array(hidden) })
    const [dweight, dbias] = [new Float64Array(hidden), new Float64Array(hidden)]
    dy.forEach((d, i) => {
      dweight[i % hidden] += d * hat[i]
      dbias[i % hidden] += d
    })
    allclose(gradients.weight, dweight, { rtol: 1e-4, atol: 1e-4, name: 'dweight' })
    allclose(gradients.bias, dbias, { rtol: 1e-4, atol: 1e-4, name: 'dbias' })
  }
})

onEveryIsa(test, 'a large mean does not eat the variance', async (device) => {
  const x = normals(4, 2, 33)
  const data = x.data.map((v) => v + 1000) as Float32Array
  const inputs = { x: { shape: x.shape, data }, weight: normals(5, 33), bias: normals(6, 33) }
  const { outputs } = await runOp(device, inputs, ({ x, weight, bias }, capture) =>
    capture.apply(layernorm, [x, weight, bias], { eps: 1e-12 }),
  )
  const want = oracle(33, 1e-12)({ x: data, weight: inputs.weight.data, bias: inputs.bias.data })
  allclose(outputs[0], want[0], { rtol: 1e-3, atol: 1e-3 })
})

for (const name of ['layernorm_a', 'layernorm_b'])
  onEveryIsa(test, `${name} of PyTorch: outputs and gradients`, async (device) => {
    const golden = opsGolden(name)
    const got = await runOp(
      device,
      { x: golden.tensor('x'), weight: golden.tensor('weight'), bias: golden.tensor('bias') },
      ({ x, weight, bias }, capture) => capture.apply(layernorm, [x, weight, bias], { eps: 1e-12 }),
      [golden.floats('dy')],
    )
    // b: the mean is a thousand times the deviation; the bounds are about twice what PyTorch in float32 comes to
    const [out, grad] = name === 'layernorm_b' ? [6e-4, 6e-4] : [1e-5, 1e-4]
    allclose(got.outputs[0], golden.floats('y'), { rtol: out, atol: out, name: 'y' })
    allclose(got.outputs[1], golden.floats('mean'), { rtol: 1e-5, name: 'mean' })
    allclose(got.outputs[2], golden.floats('rstd'), { rtol: out, name: 'rstd' })
    allclose(got.gradients.x, golden.floats('dx'), {
      rtol: grad,
      atol: name === 'layernorm_b' ? 1e-2 : 1e-5,
      name: 'dx',
    })
    for (const key of ['weight', 'bias'])
      allclose(got.gradients[key], golden.floats(`d${key}`), { rtol: grad, atol: grad, name: `d${key}` })
  })

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { x: normals(7, 67, 19) },
      18,
      ({ x, weight, bias }, capture) => capture.apply(layernorm, [x, weight, bias], { eps: 1e-5 }),
      { weight: normals(8, 19), bias: normals(9, 19) },
    ),
  ))

test.run()
