import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { copy, mergeStrides } from '../../src/ops/copy.js'
import { f32 } from '../../src/ops/shape.js'
import { checkOp, checkRagged, normals, withDevice } from '../support/op_check.js'

const test = suite('copy')

interface View {
  name: string
  from: number[]
  shape: number[]
  strides: number[]
  offset?: number
}

const views: View[] = [
  { name: 'all of it', from: [3, 7], shape: [3, 7], strides: [7, 1] },
  { name: 'a transpose', from: [3, 7], shape: [7, 3], strides: [1, 7] },
  { name: 'a large transpose', from: [37, 70], shape: [70, 37], strides: [1, 70] },
  { name: 'transposes of a stack', from: [2, 9, 3, 35], shape: [35, 2, 3, 9], strides: [1, 945, 35, 105] },
  { name: 'columns of a width of four', from: [3, 5, 12], shape: [3, 5, 8], strides: [60, 12, 1], offset: 4 },
  { name: 'a permutation of three', from: [2, 3, 5], shape: [5, 2, 3], strides: [1, 15, 5] },
  { name: 'a permutation of four', from: [2, 3, 4, 5], shape: [4, 2, 5, 3], strides: [5, 60, 1, 20] },
  { name: 'a slice', from: [4, 5, 6], shape: [2, 3, 4], strides: [30, 6, 1], offset: 30 + 6 + 2 },
  { name: 'every second row backwards', from: [6, 3], shape: [3, 3], strides: [-6, 1], offset: 15 },
  { name: 'a row repeated', from: [5], shape: [4, 5], strides: [0, 1] },
  { name: 'a column repeated', from: [4, 1], shape: [4, 6], strides: [1, 0] },
  { name: 'one element everywhere', from: [3], shape: [4, 5], strides: [0, 0], offset: 2 },
  { name: 'a row repeated often', from: [5], shape: [333, 5], strides: [0, 1] },
  { name: 'a column repeated often', from: [4, 1], shape: [4, 150], strides: [1, 0] },
  { name: 'windows that overlap in parts', from: [3, 12], shape: [3, 5, 4, 2], strides: [12, 2, 1, 0] },
  { name: 'windows that overlap', from: [9], shape: [7, 3], strides: [1, 1] },
  { name: 'columns of a matrix', from: [5, 12], shape: [5, 8], strides: [12, 1], offset: 4 },
  { name: 'all of a width of four', from: [3, 8], shape: [3, 8], strides: [8, 1] },
  { name: 'columns of a transpose', from: [4, 12], shape: [8, 4], strides: [1, 12], offset: 3 },
  { name: 'windows of eight that overlap by four', from: [16], shape: [3, 8], strides: [4, 1] },
  { name: 'long lines', from: [2, 20000], shape: [20000, 2], strides: [1, 20000] },
]

for (const { name, from, shape, strides, offset = 0 } of views)
  checkOp(test, name, {
    inputs: { x: normals(1, ...from) },
    build: ({ x }, capture) => capture.apply(copy, [x], { shape, strides, offset }),
    oracle: ({ x }) => {
      const y = new Float64Array(shape.reduce((a, b) => a * b, 1))
      for (let e = 0; e < y.length; e++) {
        let at = offset
        let rest = e
        for (let i = shape.length - 1; i >= 0; i--) {
          at += (rest % shape[i]) * strides[i]
          rest = Math.floor(rest / shape[i])
        }
        y[e] = x[at]
      }
      return [y]
    },
    gradients: shape[0] > 1000 ? 0 : 1,
  })

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 4, 19) }, 18, ({ x }, capture) =>
      capture.apply(copy, [x], { shape: [x.shape[0], 19, 4], strides: [76, 1, 19], offset: 0 }),
    ),
  ))

test('neighbours that are contiguous become one dimension', () => {
  assert.equal(mergeStrides([2, 3, 4, 5, 6], [360, 120, 30, 6, 1]), {
    dims: [1, 1, 1, 720],
    steps: [0, 0, 0, 1],
  })
  assert.equal(mergeStrides([2, 3, 4, 5], [1, 40, 10, 2]), { dims: [1, 1, 2, 60], steps: [0, 0, 1, 2] })
})

test('a view of five scattered dimensions is refused by name', () => {
  assert.throws(
    () => copy.infer([f32(2, 2, 2, 2, 2)], { shape: [2, 2, 2, 2, 2], strides: [1, 2, 4, 8, 16], offset: 0 }),
    /copy: x is \[2,2,2,2,2\] f32 \(want a view that merges to four dimensions\)/,
  )
})

test.run()
