import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { accumulate } from '../../src/ops/accumulate.js'
import { copy } from '../../src/ops/copy.js'
import { f32 } from '../../src/ops/shape.js'
import { checkOp, checkRagged, normals, withDevice } from '../support/op_check.js'

const test = suite('accumulate')

for (const shape of [[1], [3, 7], [50001]])
  checkOp(test, `[${shape}] onto what is there`, {
    inputs: { x: normals(1, ...shape), y: normals(2, ...shape) },
    build: ({ x, y }, capture) => {
      capture.apply(accumulate, [x, y], {})
      capture.apply(accumulate, [x, y], {})
      return [y]
    },
    oracle: ({ x, y }) => [Float64Array.from(x, (v, i) => 2 * v + y[i])],
    gradients: 0,
  })

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) => {
      const [y] = capture.apply(copy, [x], { shape: x.shape, strides: [19, 1], offset: 0 })
      capture.apply(accumulate, [x, y], {})
      return [y]
    }),
  ))

test('another size is refused by name', () => {
  assert.throws(() => accumulate.infer([f32(2), f32(3)], {}), /accumulate: x is \[2\] f32, y is \[3\] f32/)
})

test.run()
