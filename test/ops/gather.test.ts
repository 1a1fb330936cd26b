import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { gather } from '../../src/ops/gather.js'
import { f32 } from '../../src/ops/shape.js'
import { checkOp, checkRagged, integers, normals, withDevice } from '../support/op_check.js'

const test = suite('gather')

for (const [rows, rest, picks] of [
  [1, [], 1],
  [5, [], 9],
  [4, [3], 11],
  [7, [2, 5], 6],
  [6, [131], 13],
  [70, [12], 40],
  [9, [260], 70],
  [3, [4], 1100],
] as [number, number[], number][])
  checkOp(test, `${picks} of [${[rows, ...rest]}], with repetitions and none`, {
    inputs: { x: normals(1, rows, ...rest), index: integers(2, -1, rows + 1, picks) },
    build: ({ x, index }, capture) => capture.apply(gather, [x, index], {}),
    oracle: ({ x, index }) => {
      const hidden = x.length / rows
      const y = new Float64Array(picks * hidden)
      for (let m = 0; m < picks; m++)
        if (index[m] >= 0 && index[m] < rows)
          for (let h = 0; h < hidden; h++) y[m * hidden + h] = x[index[m] * hidden + h]
      return [y]
    },
  })

test('picks past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { index: integers(3, -1, 9, 67) },
      18,
      ({ x, index }, capture) => capture.apply(gather, [x, index], {}),
      { x: normals(4, 9, 20) },
    ),
  ))

test('rows past the run-time size are none', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { x: normals(4, 12, 20), index: integers(3, 0, 12, 12) },
      5,
      ({ x, index }, capture) => capture.apply(gather, [x, index], {}),
    ),
  ))

test('an index of floats is refused by name', () => {
  assert.throws(() => gather.infer([f32(2, 3), f32(2)], {}), /gather: x is \[2,3\] f32, index is \[2\] f32/)
})

test.run()
