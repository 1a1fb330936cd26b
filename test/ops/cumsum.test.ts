import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cumsum } from '../../src/ops/cumsum.js'
import { f32 } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
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

const test = suite('cumsum')

function oracle(shape: readonly number[], axis: number, reverse: boolean): Oracle {
  const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1)
  const outer = size(shape.slice(0, axis))
  const n = shape[axis]
  const inner = size(shape.slice(axis + 1))
  return ({ x }) => {
    const y = new Float64Array(x.length)
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        let total = 0
        for (let j = 0; j < n; j++) {
          const at = (o * n + (reverse ? n - 1 - j : j)) * inner + i
          total += x[at]
          y[at] = total
        }
      }
    return [y]
  }
}

for (const reverse of [false, true])
  for (const [shape, axis] of [
    [[1], 0],
    [[29], 0],
    [[3, 17], 1],
    [[17, 3], 0],
    [[6, 261], 1],
    [[2, 264], 1],
    [[2, 9, 70], 1],
    [[260, 2], 0],
    [[4, 3, 2], 2],
  ] as [number[], number][])
    checkOp(test, `[${shape}] along axis ${axis}${reverse ? ', from the end' : ''}`, {
      inputs: { x: normals(axis + 1, ...shape) },
      build: ({ x }, capture) => capture.apply(cumsum, [x], { axis, reverse }),
      oracle: oracle(shape, axis, reverse),
      // sums of terms of both signs pass near 0
      atol: 5e-6,
      gradientAtol: 5e-5,
    })

onEveryIsa(test, 'long sums keep their digits', async (device) => {
  for (const [shape, axis] of [
    [[100003], 0],
    [[2, 8200], 1],
    [[20011, 5], 0],
  ] as [number[], number][])
    for (const reverse of [false, true]) {
      const x = uniforms(3, 0, 1, ...shape)
      const { outputs } = await runOp(device, { x }, ({ x }, capture) =>
        capture.apply(cumsum, [x], { axis, reverse }),
      )
      allclose(outputs[0], oracle(shape, axis, reverse)({ x: x.data })[0], { rtol: 3e-6 })
    }
})

onEveryIsa(test, 'what follows a NaN is NaN, what precedes it is not', async (device) => {
  const x = { shape: [5], data: Float32Array.of(1, 2, Number.NaN, 4, 5) }
  const run = async (reverse: boolean) => [
    ...(await runOp(device, { x }, ({ x }, capture) => capture.apply(cumsum, [x], { axis: 0, reverse })))
      .outputs[0],
  ]
  const none = Number.NaN
  assert.equal(await run(false), [1, 3, none, none, none])
  assert.equal(await run(true), [none, none, none, 9, 5])
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) => [
      ...capture.apply(cumsum, [x], { axis: 1, reverse: true }),
      ...capture.apply(cumsum, [x], { axis: 0, reverse: false }),
      ...capture.apply(cumsum, [x], { axis: 0, reverse: true }),
    ]),
  ))

test('an axis that is not there is refused', () => {
  assert.throws(
    () => cumsum.infer([f32(2, 3)], { axis: 2, reverse: false }),
    /cumsum: x is \[2,3\] f32 \(want f32 with an axis 2\)/,
  )
})

test.run()
