import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { f32 } from '../../src/ops/shape.js'
import { softmax } from '../../src/ops/softmax.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, type Oracle, onEveryIsa, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('softmax')

function oracle(columns: number, log: boolean): Oracle {
  return ({ x }) => {
    const y = new Float64Array(x.length)
    for (let row = 0; row < x.length; row += columns) {
      let total = 0
      for (let c = 0; c < columns; c++) total += Math.exp(x[row + c])
      for (let c = 0; c < columns; c++)
        y[row + c] = log ? x[row + c] - Math.log(total) : Math.exp(x[row + c]) / total
    }
    return [y]
  }
}

for (const log of [false, true])
  for (const shape of [
    [1, 1],
    [3, 5],
    [2, 3, 16],
    [4, 37],
    [2, 300],
    [3, 257],
  ])
    checkOp(test, `${log ? 'log-softmax' : 'softmax'} of [${shape}]`, {
      inputs: { x: normals(shape.length, ...shape) },
      build: ({ x }, capture) => capture.apply(softmax, [x], { log }),
      oracle: oracle(shape.at(-1)!, log),
    })

onEveryIsa(test, 'long rows, forward and backward', async (device) => {
  // the last is longer than any shared memory of a GPU
  for (const [rows, columns] of [
    [3, 1025],
    [2, 9001],
    [2, 60001],
  ])
    for (const log of [false, true]) {
      const x = normals(columns, rows, columns)
      const dy = random(rows).normals(rows * columns)
      const { outputs, gradients } = await runOp(
        device,
        { x },
        ({ x }, capture) => capture.apply(softmax, [x], { log }),
        [dy],
      )
      const [y] = oracle(columns, log)({ x: x.data })
      allclose(outputs[0], y, { name: `y of [${rows},${columns}]` })
      const dx = Float64Array.from(dy)
      for (let row = 0; row < dx.length; row += columns) {
        let sum = 0
        for (let c = row; c < row + columns; c++) sum += log ? dy[c] : dy[c] * y[c]
        for (let c = row; c < row + columns; c++)
          dx[c] = log ? dy[c] - Math.exp(y[c]) * sum : y[c] * (dy[c] - sum)
      }
      allclose(gradients.x, dx, { rtol: 1e-4, atol: 1e-6, name: `dx of [${rows},${columns}]` })
    }
})

onEveryIsa(test, 'large values do not overflow, -inf has no weight', async (device) => {
  const x = { shape: [2, 3], data: Float32Array.of(1e4, 1e4 - 1, -Infinity, -1e5, -1e5, -1e5) }
  const run = async (log: boolean) =>
    (await runOp(device, { x }, ({ x }, capture) => capture.apply(softmax, [x], { log }))).outputs[0]
  const p = 1 / (1 + Math.exp(-1))
  allclose(await run(false), [p, 1 - p, 0, 1 / 3, 1 / 3, 1 / 3])
  const l = await run(true)
  allclose(l.subarray(0, 2), [Math.log(p), Math.log(1 - p)])
  assert.is(l[2], -Infinity)
})

onEveryIsa(test, 'a row of -inf gives zeros, a NaN makes its row NaN', async (device) => {
  for (const columns of [2, 3, 20]) {
    const data = new Float32Array(2 * columns).fill(-Infinity)
    data.fill(1, columns)
    data[columns + 1] = Number.NaN
    const { outputs } = await runOp(device, { x: { shape: [2, columns], data } }, ({ x }, capture) =>
      capture.apply(softmax, [x], { log: false }),
    )
    allclose(outputs[0].subarray(0, columns), new Float32Array(columns))
    assert.ok(outputs[0].subarray(columns).every((v) => Number.isNaN(v)))
  }
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 19) }, 18, ({ x }, capture) =>
      capture.apply(softmax, [x], { log: false }),
    ),
  ))

test('a scalar is refused by name', () => {
  assert.throws(() => softmax.infer([f32()], { log: false }), /softmax: x is \[\] f32 \(want f32 \[\*,C\]\)/)
})

test.run()
