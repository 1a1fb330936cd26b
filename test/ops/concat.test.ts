import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat } from '../../src/ops/concat.js'
import { dynamic, f32, i32 } from '../../src/ops/shape.js'
import { checkOp, checkRagged, normals, withDevice } from '../support/op_check.js'

const test = suite('concat')

for (const [a, b, axis] of [
  [[3], [4], 0],
  [[2, 3], [2, 5], 1],
  [[2, 3], [1, 3], 0],
  [[2, 3, 4, 2], [2, 1, 4, 2], 1],
] as [number[], number[], number][])
  checkOp(test, `[${a}] and [${b}] along axis ${axis}`, {
    inputs: { a: normals(1, ...a), b: normals(2, ...b) },
    build: ({ a, b }, capture) => capture.apply(concat, [a, b], { axis }),
    oracle: (x) => {
      const outer = a.slice(0, axis).reduce((p, q) => p * q, 1)
      const y: number[] = []
      for (let o = 0; o < outer; o++)
        for (const part of [x.a, x.b]) {
          const size = part.length / outer
          for (let i = 0; i < size; i++) y.push(part[o * size + i])
        }
      return [y]
    },
  })

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { a: normals(7, 67, 19), b: normals(8, 67, 2) }, 18, ({ a, b }, capture) =>
      capture.apply(concat, [a, b], { axis: 1 }),
    ),
  ))

test('whole numbers can be joined too', () => {
  assert.equal(concat.infer([i32(2, 3), i32(2, 1)], { axis: 1 }), [i32(2, 4)])
})

test('shapes that do not fit, and a run-time axis, are refused by name', () => {
  assert.throws(
    () => concat.infer([f32(2, 3), f32(3, 3)], { axis: 1 }),
    /concat: a is \[2,3\] f32, b is \[3,3\]/,
  )
  const rows = f32(dynamic('rows', 4), 2)
  assert.throws(() => concat.infer([rows, rows], { axis: 0 }), /axis 0, whose sizes are fixed/)
  assert.throws(() => concat.infer([f32(2), i32(2)], { axis: 0 }), /b is \[2\] i32/)
})

test.run()
