import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { f32, i32 } from '../../src/ops/shape.js'
import { where } from '../../src/ops/where.js'
import { allclose } from '../support/allclose.js'
import { broadcast } from '../support/broadcast.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, integers, normals, onEveryIsa, withDevice } from '../support/op_check.js'

const test = suite('where')

for (const [cond, a, b] of [
  [[7], [7], [7]],
  [[3, 5], [5], [3, 1]],
  [[2, 1, 3], [4, 1], []],
  [[1], [2, 6], [6]],
  [[3, 8], [8], [3, 1]],
  [[2, 1, 4], [2, 3, 4], [4]],
])
  checkOp(test, `[${cond}] chooses between [${a}] and [${b}]`, {
    inputs: {
      cond: integers(1, -1, 2, ...cond),
      a: normals(2, ...a),
      b: normals(3, ...b),
    },
    build: ({ cond, a, b }, capture) => capture.apply(where, [cond, a, b], {}),
    oracle: (x) => [
      broadcast(
        [
          { shape: cond, data: x.cond },
          { shape: a, data: x.a },
          { shape: b, data: x.b },
        ],
        (c, p, q) => (c !== 0 ? p : q),
      ),
    ],
  })

onEveryIsa(test, 'a condition of floats: zero of either sign is false', async (device) => {
  const inputs = {
    cond: { shape: [4], data: Float32Array.of(0, -0, 0.5, -1e-30) },
    a: { shape: [4], data: Float32Array.of(1, 2, 3, 4) },
    b: { shape: [1], data: Float32Array.of(9) },
  }
  const { outputs, gradients } = await runOp(
    device,
    inputs,
    ({ cond, a, b }, capture) => capture.apply(where, [cond, a, b], {}),
    [Float32Array.of(1, 10, 100, 1000)],
  )
  allclose(outputs[0], [9, 9, 3, 4])
  allclose(gradients.a, [0, 0, 100, 1000])
  allclose(gradients.b, [11])
  allclose(gradients.cond, [0, 0, 0, 0])
})

onEveryIsa(test, 'what is not chosen sends no NaN', async (device) => {
  const inputs = {
    cond: { shape: [2], data: Int32Array.of(1, -2147483648) },
    a: { shape: [2], data: Float32Array.of(1, 2) },
    b: { shape: [2], data: Float32Array.of(Number.NaN, Number.NaN) },
  }
  const { outputs } = await runOp(device, inputs, ({ cond, a, b }, capture) =>
    capture.apply(where, [cond, a, b], {}),
  )
  allclose(outputs[0], [1, 2])
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { cond: integers(4, 0, 2, 67, 1), a: normals(7, 67, 19) },
      18,
      ({ cond, a, b }, capture) => capture.apply(where, [cond, a, b], {}),
      { b: normals(9, 19) },
    ),
  ))

test('shapes that do not fit are refused by name', () => {
  assert.throws(() => where.infer([f32(2), f32(3), f32(3)], {}), /where: cond is \[2\] f32, a is \[3\] f32/)
  assert.throws(() => where.infer([i32(3), i32(3), f32(3)], {}), /a and b f32/)
})

test.run()
