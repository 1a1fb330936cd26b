import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { clip } from '../../src/ops/clip.js'
import { f32, i32 } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, onEveryIsa, withDevice } from '../support/op_check.js'

const test = suite('clip')

for (const [low, high] of [
  [-0.5, 0.75],
  [0.25, 0.25],
  [-Infinity, 0.1],
  [-0.3, Infinity],
])
  for (const shape of [[1], [3, 7], [5, 2, 13]])
    checkOp(test, `[${shape}] within ${low} and ${high}`, {
      inputs: { x: normals(shape.length, ...shape) },
      build: ({ x }, capture) => capture.apply(clip, [x], { low, high }),
      oracle: ({ x }) => [Float64Array.from(x, (v) => (v < low ? low : v > high ? high : v))],
    })

onEveryIsa(test, 'more elements than one task', async (device) => {
  const x = normals(5, 50001)
  const { outputs, gradients } = await runOp(
    device,
    { x },
    ({ x }, capture) => capture.apply(clip, [x], { low: -1, high: 1 }),
    [new Float32Array(50001).fill(3)],
  )
  const values = Array.from(x.data as Float32Array)
  allclose(
    outputs[0],
    values.map((v) => Math.min(1, Math.max(-1, v))),
    { rtol: 0, atol: 0 },
  )
  allclose(
    gradients.x,
    values.map((v) => (Math.abs(v) <= 1 ? 3 : 0)),
    { rtol: 0, atol: 0 },
  )
})

onEveryIsa(
  test,
  'the gradient passes at the bounds; infinities are held, a NaN stays one and gets none',
  async (device) => {
    const x = { shape: [6], data: Float32Array.of(-1, 2, -Infinity, Infinity, Number.NaN, -1.0000001) }
    const { outputs, gradients } = await runOp(
      device,
      { x },
      ({ x }, capture) => capture.apply(clip, [x], { low: -1, high: 2 }),
      [Float32Array.of(5, 6, 7, 8, 9, 10)],
    )
    assert.equal([...outputs[0]], [-1, 2, -1, 2, Number.NaN, -1])
    assert.equal([...gradients.x], [5, 6, 0, 0, 0, 0])
  },
)

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(clip, [x], { low: -0.5, high: 0.5 }),
    ),
  ))

test('bounds that cross, a NaN and integers are refused', () => {
  assert.throws(
    () => clip.infer([f32(2)], { low: 1, high: 0 }),
    /clip: low is 1, high is 0 \(want low <= high\)/,
  )
  assert.throws(() => clip.infer([f32(2)], { low: Number.NaN, high: 0 }), /low is NaN/)
  assert.throws(() => clip.infer([i32(2)], { low: 0, high: 1 }), /clip: x is \[2\] i32 \(want f32\)/)
})

test.run()
