import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { crossEntropy } from '../../src/ops/cross_entropy.js'
import { f32, i32 } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import {
  checkOp,
  checkRagged,
  integers,
  normals,
  type Oracle,
  onEveryIsa,
  withDevice,
} from '../support/op_check.js'
import { opsGolden } from '../support/ops_golden.js'
import { random } from '../support/random.js'

const test = suite('cross_entropy')

function oracle(classes: number): Oracle {
  return ({ logits, labels }) => {
    const rows = labels.length
    const loss = new Float64Array(rows)
    const lse = new Float64Array(rows)
    const correct = new Float64Array(rows)
    for (let n = 0; n < rows; n++) {
      const x = Array.from({ length: classes }, (_, c) => logits[n * classes + c])
      lse[n] = Math.log(x.reduce((s, v) => s + Math.exp(v), 0))
      if (labels[n] < 0) continue
      loss[n] = lse[n] - x[labels[n]]
      correct[n] = x.indexOf(Math.max(...x)) === labels[n] ? 1 : 0
    }
    return [loss, lse, correct]
  }
}

for (const [rows, classes] of [
  [1, 1],
  [4, 2],
  [9, 5],
  [7, 33],
  [3, 300],
  [5, 257],
  [66, 4],
])
  checkOp(test, `[${rows},${classes}], some rows ignored`, {
    inputs: { logits: normals(rows, rows, classes), labels: integers(2, -1, classes, rows) },
    build: ({ logits, labels }, capture) => capture.apply(crossEntropy, [logits, labels], {}),
    oracle: oracle(classes),
  })

for (const name of ['cross_entropy_a', 'cross_entropy_b'])
  onEveryIsa(test, `${name} of PyTorch: losses and dlogits`, async (device) => {
    const golden = opsGolden(name)
    const labels = golden.ints('labels')
    const counted = labels.filter((l) => l >= 0).length
    const got = await runOp(
      device,
      { logits: golden.tensor('logits'), labels: golden.tensor('labels', 'i32') },
      ({ logits, labels }, capture) => capture.apply(crossEntropy, [logits, labels], {}),
      [new Float32Array(labels.length).fill(1 / counted)],
    )
    allclose(got.outputs[0], golden.floats('losses'), { rtol: 1e-5, atol: 2e-6, name: 'losses' })
    const mean = got.outputs[0].reduce((s, v) => s + v, 0) / counted
    allclose([mean], golden.floats('loss'), { name: 'loss' })
    allclose(got.gradients.logits, golden.floats('dlogits'), { rtol: 1e-4, atol: 1e-6, name: 'dlogits' })
  })

onEveryIsa(test, 'many classes, forward and backward', async (device) => {
  for (const classes of [20, 1025, 9001]) {
    const rows = 3
    const logits = normals(classes, rows, classes)
    const labels = { shape: [rows], data: Int32Array.of(classes - 1, -1, 0) }
    // the first row is right, by the first of its two largest
    logits.data[classes - 1] = 9
    const dy = random(rows).normals(rows)
    const { outputs, gradients } = await runOp(
      device,
      { logits, labels },
      ({ logits, labels }, capture) => capture.apply(crossEntropy, [logits, labels], {}),
      [dy],
    )
    const want = oracle(classes)({ logits: logits.data, labels: labels.data })
    want.forEach((y, i) => {
      allclose(outputs[i], y, { name: `output ${i} of ${classes} classes` })
    })
    const [, lse] = want
    const dlogits = Float64Array.from(logits.data, (x, i) => {
      const n = Math.floor(i / classes)
      const hit = labels.data[n] === i % classes ? 1 : 0
      return labels.data[n] < 0 ? 0 : dy[n] * (Math.exp(x - lse[n]) - hit)
    })
    allclose(gradients.logits, dlogits, { rtol: 1e-4, atol: 1e-6, name: `dlogits of ${classes} classes` })
  }
})

onEveryIsa(test, 'a tie is correct for the first of the classes only', async (device) => {
  const inputs = {
    logits: { shape: [2, 3], data: Float32Array.of(1, 1, 0, 1, 1, 0) },
    labels: { shape: [2], data: Int32Array.of(0, 1) },
  }
  const { outputs } = await runOp(device, inputs, ({ logits, labels }, capture) =>
    capture.apply(crossEntropy, [logits, labels], {}),
  )
  allclose(outputs[2], [1, 0])
})

onEveryIsa(test, 'far logits neither overflow nor lose a small loss', async (device) => {
  const inputs = {
    logits: { shape: [2, 2], data: Float32Array.of(1000, 1005, 1000, 2000) },
    labels: { shape: [2], data: Int32Array.of(1, 0) },
  }
  const { outputs } = await runOp(device, inputs, ({ logits, labels }, capture) =>
    capture.apply(crossEntropy, [logits, labels], {}),
  )
  allclose(outputs[0], [Math.log1p(Math.exp(-5)), 1000], { rtol: 1e-4 })
})

onEveryIsa(test, 'a label past the last class and a NaN make the loss NaN', async (device) => {
  for (const classes of [3, 19]) {
    const logits = normals(1, 2, classes)
    logits.data[classes + 1] = Number.NaN
    const inputs = { logits, labels: { shape: [2], data: Int32Array.of(classes, 0) } }
    const { outputs } = await runOp(device, inputs, ({ logits, labels }, capture) =>
      capture.apply(crossEntropy, [logits, labels], {}),
    )
    assert.ok(Number.isNaN(outputs[0][0]))
    assert.ok(Number.isNaN(outputs[0][1]))
  }
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { logits: normals(7, 67, 19), labels: integers(3, -1, 19, 67) },
      18,
      ({ logits, labels }, capture) => capture.apply(crossEntropy, [logits, labels], {}),
    ),
  ))

test('labels of another length are refused by name', () => {
  assert.throws(
    () => crossEntropy.infer([f32(2, 3), i32(3)], {}),
    /cross_entropy: logits is \[2,3\] f32, labels is \[3\] i32 \(want logits f32 \[N,C\], labels i32 \[N\]\)/,
  )
})

test.run()
