import { suite } from 'uvu'
import { fill } from '../../src/ops/fill.js'
import { checkOp, checkRagged, normals, withDevice } from '../support/op_check.js'

const test = suite('fill')

for (const shape of [[], [1], [3, 7], [50001]])
  checkOp(test, `every element of [${shape}]`, {
    inputs: {},
    build: (_, capture) => capture.apply(fill, [], { shape, value: -2.5 }),
    oracle: () => [new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(-2.5)],
    gradients: 0,
  })

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(fill, [], { shape: x.shape, value: 4 }),
    ),
  ))

test.run()
