import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { scale } from '../../src/ops/scale.js'
import { i32 } from '../../src/ops/shape.js'
import { checkOp, checkRagged, normals, withDevice } from '../support/op_check.js'

const test = suite('scale')

for (const shape of [[1], [3, 7], [20001]]) {
  checkOp(test, `[${shape}] by a number`, {
    inputs: { x: normals(1, ...shape) },
    build: ({ x }, capture) => capture.apply(scale, [x], { by: -1.5, scalar: '' }),
    oracle: ({ x }) => [Float64Array.from(x, (v) => -1.5 * v)],
    gradients: shape[0] > 100 ? 0 : 1,
  })
  checkOp(test, `[${shape}] by a number and a run-time scalar`, {
    inputs: { x: normals(1, ...shape) },
    build: ({ x }, capture) => capture.apply(scale, [x], { by: 2, scalar: 'weight' }),
    oracle: ({ x }) => [Float64Array.from(x, (v) => 0.5 * v)],
    scalars: { weight: 0.25 },
    gradients: shape[0] > 100 ? 0 : 1,
  })
}

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(scale, [x], { by: 3, scalar: '' }),
    ),
  ))

test('whole numbers are refused', () => {
  assert.throws(() => scale.infer([i32(2)], { by: 1, scalar: '' }), /scale: x is \[2\] i32 \(want f32\)/)
})

test.run()
