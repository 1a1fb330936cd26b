import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { argmax } from '../../src/ops/argmax.js'
import { dynamic, f32, i32 } from '../../src/ops/shape.js'
import { runOp, type TestTensor } from '../support/op_case.js'
import { checkOp, checkRagged, normals, type Oracle, onEveryIsa, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('argmax')

function oracle(shape: readonly number[], axis: number): Oracle {
  const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1)
  const outer = size(shape.slice(0, axis))
  const n = shape[axis]
  const inner = size(shape.slice(axis + 1))
  return ({ x }) => {
    const y = new Float64Array(outer * inner)
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const terms = Array.from({ length: n }, (_, k) => x[(o * n + k) * inner + i])
        const odd = terms.findIndex((v) => Number.isNaN(v))
        y[o * inner + i] = odd >= 0 ? odd : terms.indexOf(Math.max(...terms))
      }
    return [y]
  }
}

const places = async (device: Parameters<typeof runOp>[0], x: TestTensor, axis: number) =>
  (await runOp(device, { x }, ({ x }, capture) => capture.apply(argmax, [x], { axis, keep: false })))
    .outputs[0]

for (const [shape, axis] of [
  [[1], 0],
  [[29], 0],
  [[3, 17], 1],
  [[17, 3], 0],
  [[5, 1030], 1],
  [[2, 9, 70], 1],
  [[2, 70, 130], 1],
  [[2, 20001], 1],
  [[9001, 3], 0],
  [[4, 3, 2], 2],
] as [number[], number][])
  checkOp(test, `of [${shape}] over axis ${axis}`, {
    inputs: { x: normals(axis + 1, ...shape) },
    build: ({ x }, capture) => capture.apply(argmax, [x], { axis, keep: axis === 1 }),
    oracle: oracle(shape, axis),
    gradients: 0,
  })

onEveryIsa(test, 'of equal maxima the lowest index, wherever they lie', async (device) => {
  const draw = random(4)
  for (const n of [2, 3, 64, 65, 200, 1000]) {
    const data = new Float32Array(20 * n)
    // few values, so that most rows have several maxima; some rows are all the same
    for (let i = 0; i < data.length; i++) data[i] = Math.floor(i / n) < 3 ? -1 : draw.integer(4)
    for (const [shape, axis] of [
      [[20, n], 1],
      [[n, 20], 0],
    ] as [number[], number][])
      assert.equal(
        [...(await places(device, { shape, data }, axis))],
        Array.from(oracle(shape, axis)({ x: data })[0]),
      )
  }
})

onEveryIsa(test, 'the first NaN is the place; infinities count as numbers', async (device) => {
  const draw = random(5)
  for (const n of [1, 2, 5, 100, 700]) {
    const data = draw.normals(24 * n)
    for (let row = 0; row < 24; row++) {
      const put = (value: number) => {
        data[row * n + draw.integer(n)] = value
      }
      if (row % 4 === 1) data.fill(-Infinity, row * n, (row + 1) * n)
      if (row % 3 === 0) put(Infinity)
      if (row % 2 === 0) put(Number.NaN)
      if (row % 8 === 0) put(Number.NaN)
    }
    for (const [shape, axis] of [
      [[24, n], 1],
      [[n, 24], 0],
    ] as [number[], number][])
      assert.equal(
        [...(await places(device, { shape, data }, axis))],
        Array.from(oracle(shape, axis)({ x: data })[0]),
      )
  }
})

onEveryIsa(test, 'zeros of both signs are equal', async (device) => {
  const x = { shape: [2, 3], data: Float32Array.of(-1, -0, 0, -0, 0, -0) }
  assert.equal([...(await places(device, x, 1))], [1, 0])
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(argmax, [x], { axis: 1, keep: false }),
    ),
  ))

onEveryIsa(
  test,
  'a run-time axis is searched as far as it is there; where it holds nothing, -1',
  async (device) => {
    const capture = new Capture(new ParameterSet())
    const x = capture.input('x', [dynamic('rows', 9), 3])
    capture.output('y', capture.apply(argmax, [x], { axis: 0, keep: false })[0])
    const runtime = new Runtime(device, capture.parameters, { op: capture.graph })
    const data = Float32Array.from({ length: 27 }, (_, i) => i)
    for (const [rows, want] of [
      [9, 8],
      [4, 3],
      [0, -1],
    ]) {
      await runtime.run('op', { x: data }, { rows })
      assert.equal([...(await runtime.readIntegers('op', 'y'))], [want, want, want])
    }
    runtime.free()
  },
)

test('a run-time axis may be reduced, the result is i32', () => {
  assert.equal(argmax.infer([f32(dynamic('rows', 9), 4)], { axis: 0, keep: true }), [i32(1, 4)])
})

test('an axis that is not there is refused', () => {
  assert.throws(
    () => argmax.infer([f32(2, 3)], { axis: 2, keep: false }),
    /argmax: x is \[2,3\] f32 \(want f32 with an axis 2\)/,
  )
})

test.run()
