import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ReduceFunction, reduce } from '../../src/ops/reduce.js'
import { dynamic, f32 } from '../../src/ops/shape.js'
import { allclose, sameBits } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import {
  checkOp,
  checkRagged,
  normals,
  type Oracle,
  onEveryIsa,
  uniforms,
  withDevice,
} from '../support/op_check.js'

import { random } from '../support/random.js'

const test = suite('reduce')

function oracle(fn: ReduceFunction, shape: readonly number[], axis: number): Oracle {
  const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1)
  const outer = size(shape.slice(0, axis))
  const n = shape[axis]
  const inner = size(shape.slice(axis + 1))
  return ({ x }) => {
    const y = new Float64Array(outer * inner)
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const terms = Array.from({ length: n }, (_, k) => x[(o * n + k) * inner + i])
        const total = terms.reduce((a, b) => a + b, 0)
        y[o * inner + i] = fn === 'sum' ? total : fn === 'mean' ? total / n : Math.max(...terms)
      }
    return [y]
  }
}

for (const fn of ['sum', 'mean', 'max'] as const)
  for (const [shape, axis] of [
    [[1], 0],
    [[29], 0],
    [[3, 17], 1],
    [[17, 3], 0],
    [[2, 9, 70], 1],
    [[3, 5, 8], 1],
    [[3, 20], 1],
    [[4, 3, 2], 2],
    [[2, 260], 1],
    [[1, 260, 3], 1],
  ] as [number[], number][])
    checkOp(test, `${fn} of [${shape}] over axis ${axis}`, {
      inputs: { x: normals(axis + 1, ...shape) },
      build: ({ x }, capture) => capture.apply(reduce, [x], { fn, axis, keep: axis === 1 }),
      oracle: oracle(fn, shape, axis),
    })

onEveryIsa(test, 'long sums keep their digits', async (device) => {
  for (const [shape, axis] of [
    [[100003], 0],
    [[40960], 0],
    [[20011, 5], 0],
  ] as [number[], number][]) {
    const x = uniforms(3, 0, 1, ...shape)
    const { outputs } = await runOp(device, { x }, ({ x }, capture) =>
      capture.apply(reduce, [x], { fn: 'sum', axis, keep: false }),
    )
    allclose(outputs[0], oracle('sum', shape, axis)({ x: x.data })[0], { rtol: 2e-6 })
  }
})

onEveryIsa(test, 'the maximum of a long axis, and its gradient', async (device) => {
  for (const [outer, axis, inner] of [
    [2, 20001, 1],
    [1, 9001, 3],
  ]) {
    const x = normals(axis, outer, axis, inner)
    const dy = normals(inner, outer, inner).data as Float32Array
    const { outputs, gradients } = await runOp(
      device,
      { x },
      ({ x }, capture) => capture.apply(reduce, [x], { fn: 'max', axis: 1, keep: false }),
      [dy],
    )
    const [y] = oracle('max', x.shape, 1)({ x: x.data })
    allclose(outputs[0], y, { rtol: 0, atol: 0 })
    const dx = new Float64Array(x.data.length)
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++)
        for (let k = 0; k < axis; k++) {
          const at = (o * axis + k) * inner + i
          if (x.data[at] !== y[o * inner + i]) continue
          dx[at] = dy[o * inner + i]
          break
        }
    allclose(gradients.x, dx, { rtol: 0, atol: 0 })
  }
})

onEveryIsa(test, 'a row has the same bits in a batch of any size', async (device) => {
  for (const [outer, axis, inner] of [
    [130, 36, 256],
    [300, 1100, 1],
  ]) {
    const x = normals(axis, outer, axis, inner)
    const sums = async (data: Float32Array, rows: number) =>
      (
        await runOp(device, { x: { shape: [rows, axis, inner], data } }, ({ x }, capture) =>
          capture.apply(reduce, [x], { fn: 'sum', axis: 1, keep: false }),
        )
      ).outputs[0]
    const data = x.data as Float32Array
    const all = await sums(data, outer)
    const row = outer - 2
    const one = await sums(data.slice(row * axis * inner, (row + 1) * axis * inner), 1)
    sameBits(one, all.subarray(row * inner, (row + 1) * inner))
  }
})

onEveryIsa(test, 'the first of equal maxima gets the gradient', async (device) => {
  const x = { shape: [2, 3], data: Float32Array.of(1, 4, 4, 7, 7, 2) }
  const { gradients } = await runOp(
    device,
    { x },
    ({ x }, capture) => capture.apply(reduce, [x], { fn: 'max', axis: 1, keep: false }),
    [Float32Array.of(5, 6)],
  )
  allclose(gradients.x, [0, 5, 0, 6, 0, 0])
})

onEveryIsa(test, 'a NaN makes the maximum NaN', async (device) => {
  const x = { shape: [2, 2], data: Float32Array.of(1, Number.NaN, Number.NaN, 1) }
  for (const axis of [0, 1]) {
    const { outputs } = await runOp(device, { x }, ({ x }, capture) =>
      capture.apply(reduce, [x], { fn: 'max', axis, keep: false }),
    )
    for (const y of outputs[0]) assert.ok(Number.isNaN(y))
  }
})

onEveryIsa(
  test,
  'a NaN anywhere in a long axis makes the maximum NaN, infinities are numbers',
  async (device) => {
    for (const axis of [4100, 4101]) {
      const data = random(axis).normals(4 * axis)
      data[1300] = Number.NaN
      data.fill(-Infinity, axis, 2 * axis)
      data[2 * axis + 77] = Infinity
      const { outputs } = await runOp(device, { x: { shape: [4, axis], data } }, ({ x }, capture) =>
        capture.apply(reduce, [x], { fn: 'max', axis: 1, keep: false }),
      )
      const most = data.subarray(3 * axis).reduce((a, b) => Math.max(a, b))
      assert.equal([...outputs[0]], [Number.NaN, -Infinity, Infinity, most])
    }
  },
)

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      (['sum', 'mean', 'max'] as const).flatMap((fn) =>
        capture.apply(reduce, [x], { fn, axis: 1, keep: false }),
      ),
    ),
  ))

test('a run-time axis is summed as far as it is there', () => {
  assert.equal(reduce.infer([f32(dynamic('rows', 9), 4)], { fn: 'sum', axis: 0, keep: true }), [f32(1, 4)])
})

test('an axis that is not there is refused', () => {
  assert.throws(
    () => reduce.infer([f32(2, 3)], { fn: 'sum', axis: 2, keep: false }),
    /reduce: x is \[2,3\] f32 \(want f32 with an axis 2\)/,
  )
})

test.run()
