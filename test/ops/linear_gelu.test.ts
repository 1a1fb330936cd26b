import { suite } from 'uvu'
import { linearGelu } from '../../src/ops/linear_gelu.js'
import { runOp } from '../support/op_case.js'
import {
  checkOp,
  checkRagged,
  normals,
  type Oracle,
  sameBitsOnThreads,
  withCpu,
} from '../support/op_check.js'

const test = suite('linear_gelu')

/** y = gelu(z) in the tanh form and z, in float64. */
function oracle(rows: number, inner: number, out: number): Oracle {
  return ({ x, weight, bias }) => {
    const z = new Float64Array(rows * out)
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < out; o++) {
        z[n * out + o] = bias[o]
        for (let i = 0; i < inner; i++) z[n * out + o] += x[n * inner + i] * weight[o * inner + i]
      }
    return [z.map((v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))), z]
  }
}

for (const [rows, inner, out] of [
  [1, 1, 1],
  [3, 5, 7],
  [9, 17, 49],
  [20, 6, 33],
])
  checkOp(test, `[${rows},${inner}] x [${out},${inner}]: y, z and the gradients`, {
    inputs: { x: normals(1, rows, inner), weight: normals(2, out, inner), bias: normals(3, out) },
    build: ({ x, weight, bias }, capture) => capture.apply(linearGelu, [x, weight, bias], {}),
    oracle: oracle(rows, inner, out),
    atol: 3e-6,
  })

test('the same bits on 1, 2, 3 and 7 threads', () => {
  const inputs = { x: normals(1, 150, 90), weight: normals(2, 400, 90), bias: normals(3, 400) }
  const dy = normals(4, 150, 400).data as Float32Array
  return sameBitsOnThreads((device) =>
    runOp(device, inputs, ({ x, weight, bias }, c) => c.apply(linearGelu, [x, weight, bias], {}), [dy]),
  )
})

test('rows past the run-time size stay as they are', () =>
  withCpu({}, (device) =>
    checkRagged(
      device,
      { x: normals(1, 30, 20) },
      13,
      (t, c) => c.apply(linearGelu, [t.x, t.weight, t.bias], {}),
      { weight: normals(2, 24, 20), bias: normals(3, 24) },
    ),
  ))

test.run()
