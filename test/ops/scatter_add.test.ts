import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { scatterAdd } from '../../src/ops/scatter_add.js'
import { f32, i32 } from '../../src/ops/shape.js'
import { checkOp, checkRagged, integers, normals, uniforms, withDevice } from '../support/op_check.js'

const test = suite('scatter_add')

for (const [rows, rest, picks] of [
  [1, [], 1],
  [5, [], 9],
  [4, [3], 11],
  [7, [2, 5], 6],
  [6, [131], 13],
  [3, [260], 2100],
  [300, [9], 2100],
  [300, [260], 1100],
] as [number, number[], number][])
  checkOp(test, `[${[picks, ...rest]}] onto ${rows} rows, with repetitions and none`, {
    // many terms of both signs would pass near 0
    inputs: {
      x: picks > 1000 ? uniforms(1, 0, 1, picks, ...rest) : normals(1, picks, ...rest),
      index: integers(2, -1, rows + 1, picks),
    },
    build: ({ x, index }, capture) => capture.apply(scatterAdd, [x, index], { rows }),
    oracle: ({ x, index }) => {
      const hidden = x.length / picks
      const y = new Float64Array(rows * hidden)
      for (let m = 0; m < picks; m++)
        if (index[m] >= 0 && index[m] < rows)
          for (let h = 0; h < hidden; h++) y[index[m] * hidden + h] += x[m * hidden + h]
      return [y]
    },
    gradients: picks > 1000 ? 0 : 1,
  })

test('only the rows that are there are added, onto those that are there', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { x: normals(4, 12, 20), index: integers(3, 0, 12, 12) },
      5,
      ({ x, index }, capture) => capture.apply(scatterAdd, [x, index], { rows: x.shape[0] }),
    ),
  ))

test('a sum of many does not depend on how many more there might be', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { x: normals(4, 2100, 20), index: integers(3, -1, 5, 2100) },
      900,
      ({ x, index }, capture) => [5, 300].flatMap((rows) => capture.apply(scatterAdd, [x, index], { rows })),
    ),
  ))

test('an index of another length is refused by name', () => {
  assert.throws(
    () => scatterAdd.infer([f32(2, 3), i32(3)], { rows: 4 }),
    /scatter_add: x is \[2,3\] f32, index is \[3\] i32/,
  )
})

test.run()
