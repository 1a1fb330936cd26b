/** linear_cross_entropy against float64 loops over whole logits. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import { linearCrossEntropy, VOCABULARY_CHUNK } from '../../src/ops/linear_cross_entropy.js'
import { dynamic } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
import { isFew, ofEachKind, once, onThreads } from '../support/cases.js'
import { runKernel } from '../support/kernel_case.js'
import { runOp } from '../support/op_case.js'
import {
  checkOp,
  integers,
  normals,
  type Oracle,
  onEveryIsa,
  sameBitsOnThreads,
} from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('linear_cross_entropy')

/** Logits of row m. */
function logitsOf(inputs: Record<string, ArrayLike<number>>, m: number, width: number): Float64Array {
  const { x, weight, bias } = inputs
  return Float64Array.from(bias, (b, v) => {
    let s = Number(b)
    for (let e = 0; e < width; e++) s += x[m * width + e] * weight[v * width + e]
    return s
  })
}

const logSum = (logits: Float64Array) => {
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return top + Math.log(logits.reduce((s, l) => s + Math.exp(l - top), 0))
}

/** loss, lse, correct in float64. */
function oracle(width: number): Oracle {
  return (inputs) => {
    const { labels, bias } = inputs
    const rows = labels.length
    const [loss, lse, correct] = [new Float64Array(rows), new Float64Array(rows), new Float64Array(rows)]
    for (let m = 0; m < rows; m++) {
      const logits = logitsOf(inputs, m, width)
      lse[m] = logSum(logits)
      if (labels[m] < 0 || labels[m] >= bias.length) continue
      loss[m] = lse[m] - logits[labels[m]]
      correct[m] = logits.indexOf(Math.max(...logits)) === labels[m] ? 1 : 0
    }
    return [loss, lse, correct]
  }
}

/** dx, dweight, dbias by the formula dlogits = dloss (softmax - onehot). */
function gradients(inputs: Record<string, ArrayLike<number>>, dloss: ArrayLike<number>, width: number) {
  const { x, weight, bias, labels } = inputs
  const dx = new Float64Array(x.length)
  const dweight = new Float64Array(weight.length)
  const dbias = new Float64Array(bias.length)
  for (let m = 0; m < labels.length; m++) {
    if (labels[m] < 0 || labels[m] >= bias.length) continue
    const logits = logitsOf(inputs, m, width)
    const lse = logSum(logits)
    logits.forEach((l, v) => {
      const d = dloss[m] * (Math.exp(l - lse) - (v === labels[m] ? 1 : 0))
      dbias[v] += d
      for (let e = 0; e < width; e++) {
        dx[m * width + e] += d * weight[v * width + e]
        dweight[v * width + e] += d * x[m * width + e]
      }
    })
  }
  return { x: dx, weight: dweight, bias: dbias }
}

const tensors = (rows: number, width: number, vocabulary: number) => ({
  x: normals(1, rows, width),
  weight: normals(2, vocabulary, width),
  bias: normals(3, vocabulary),
  labels: integers(4, -1, vocabulary, rows),
})

const run = (device: Device, inputs: ReturnType<typeof tensors>, dloss: Float32Array) =>
  runOp(
    device,
    inputs,
    ({ x, weight, bias, labels }, capture) =>
      capture.apply(linearCrossEntropy, [x, weight, bias, labels], {}),
    [dloss],
  )

for (const [rows, width, vocabulary] of [
  [1, 1, 1],
  [3, 5, 2],
  [17, 3, 11],
])
  checkOp(test, `M ${rows}, E ${width}, V ${vocabulary}: outputs, gradients by differences`, {
    inputs: tensors(rows, width, vocabulary),
    build: ({ x, weight, bias, labels }, capture) =>
      capture.apply(linearCrossEntropy, [x, weight, bias, labels], {}),
    oracle: oracle(width),
    atol: 3e-6,
  })

for (const [rows, width, vocabulary] of ofEachKind({
  'a whole chunk': [[2, 8, VOCABULARY_CHUNK]],
  'around chunks and tiles': [
    [9, 13, VOCABULARY_CHUNK + 1],
    [101, 13, VOCABULARY_CHUNK + 1],
    [97, 33, 3 * VOCABULARY_CHUNK - 7],
  ],
  'more chunks than partial sums': isFew ? [] : [[5, 4, 70 * VOCABULARY_CHUNK + 3]],
  'many rows': [
    [130, 5, 11],
    [300, 16, 60], // one tile of dweight: its sum over the rows is cut on CUDA
  ],
})) {
  const inputs = tensors(rows, width, vocabulary)
  const dloss = random(5).normals(rows)
  const data = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, t.data]))
  const name = `M ${rows}, E ${width}, V ${vocabulary}`
  const wanted = once(() => ({
    outputs: oracle(width)(data),
    gradients: Object.entries(gradients(data, dloss, width)),
  }))
  onEveryIsa(test, `${name}: outputs and gradients by the formula`, async (device) => {
    const result = await run(device, inputs, dloss)
    wanted().outputs.forEach((want, i) => {
      allclose(result.outputs[i], want, { rtol: 1e-5, atol: 5e-6, name: linearCrossEntropy.outputs[i] })
    })
    for (const [name, want] of wanted().gradients)
      allclose(result.gradients[name], want, { rtol: 1e-4, atol: 1e-5, name: `d${name}` })
  })
  test(`${name}: the same bits ${onThreads}`, () => sameBitsOnThreads((d) => run(d, inputs, dloss)))
}

onEveryIsa(
  test,
  'a label below 0 gives no loss and no gradient, one past the vocabulary a loss of NaN',
  async (device) => {
    const inputs = tensors(4, 3, 300)
    inputs.labels.data = Int32Array.from([-1, 300, -(2 ** 31), 2 ** 31 - 1])
    const result = await run(device, inputs, new Float32Array(4).fill(1))
    assert.equal([...result.outputs[0]], [0, Number.NaN, 0, Number.NaN])
    assert.equal([...result.outputs[2]], [0, 0, 0, 0])
    for (const [name, gradient] of Object.entries(result.gradients))
      assert.ok(
        gradient.every((g) => g === 0),
        `d${name}`,
      )
  },
)

onEveryIsa(test, 'of equal largest logits the first one counts as the guess', async (device) => {
  const vocabulary = 2 * VOCABULARY_CHUNK + 5
  const inputs = tensors(5, 2, vocabulary)
  inputs.x.data.fill(0)
  inputs.bias.data.fill(-1)
  const top = [3, 9, VOCABULARY_CHUNK + 2, 2 * VOCABULARY_CHUNK + 1]
  for (const v of top) inputs.bias.data[v] = 2
  inputs.labels.data = Int32Array.from([...top, 0])
  const { outputs } = await run(device, inputs, new Float32Array(5).fill(1))
  assert.equal([...outputs[2]], [1, 0, 0, 0, 0])
  inputs.bias.data[3] = -1
  inputs.bias.data[9] = -1
  const later = await run(device, inputs, new Float32Array(5).fill(1))
  assert.equal([...later.outputs[2]], [0, 0, 1, 0, 0])
})

onEveryIsa(
  test,
  'large logits do not overflow, one that is not finite makes the loss NaN',
  async (device) => {
    const inputs = tensors(3, 4, 270)
    inputs.bias.data[260] = 3e4
    inputs.labels.data = Int32Array.from([260, 0, 5])
    const data = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, t.data]))
    const { outputs } = await run(device, inputs, new Float32Array(3).fill(1))
    allclose(outputs[0], oracle(4)(data)[0], { rtol: 1e-5, atol: 2e-3 })
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      inputs.bias.data[100] = bad
      const broken = await run(device, inputs, new Float32Array(3).fill(1))
      assert.ok(broken.outputs[0].every(Number.isNaN), `${bad}: ${broken.outputs[0]}`)
    }
  },
)

onEveryIsa(test, 'the rows that are there are written, none at all is fine', async (device) => {
  const [width, vocabulary] = [7, 600]
  const masked = dynamic('masked', 150)
  const r = random(9)
  for (const rows of [0, 1, 103]) {
    const inputs = {
      x: { shape: [masked, width], data: r.normals(rows * width) },
      weight: { shape: [vocabulary, width], data: r.normals(vocabulary * width) },
      bias: { shape: [vocabulary], data: r.normals(vocabulary) },
      labels: { shape: [masked], data: r.integers(rows + 1, 0, vocabulary).subarray(0, rows) },
    }
    const data = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, t.data]))
    const vector = { shape: [masked] }
    const outputs = { loss: vector, lse: vector, correct: vector }
    const scalars = { masked: rows }
    const op = linearCrossEntropy
    const forward = await runKernel(device, op, op.forward, { ...inputs, ...outputs }, {}, scalars)
    oracle(width)(data).forEach((want, i) => {
      const found = forward[op.outputs[i]]
      allclose(found.subarray(0, rows), want, { atol: 5e-6, name: op.outputs[i] })
      assert.ok(found.subarray(rows).every(Number.isNaN), `${op.outputs[i]} past the end`)
    })
    const dloss = { shape: [masked], data: r.normals(rows) }
    const made = {
      dx: { shape: [masked, width] },
      dweight: { shape: [vocabulary, width], data: r.normals(vocabulary * width) },
      dbias: { shape: [vocabulary], data: r.normals(vocabulary) },
    }
    const lse = { shape: [masked], data: forward.lse.slice(0, rows) }
    const buffers = { ...inputs, ...outputs, ...made, lse, dloss }
    const backward = await runKernel(device, op, op.backward![0], buffers, {}, scalars)
    const want = gradients(data, dloss.data, width)
    allclose(backward.dx.subarray(0, rows * width), want.x, { rtol: 1e-4, atol: 1e-5, name: 'dx' })
    assert.ok(backward.dx.subarray(rows * width).every(Number.isNaN), 'dx past the end')
    for (const name of ['weight', 'bias'] as const) {
      const before = made[`d${name}`].data
      allclose(
        backward[`d${name}`],
        want[name].map((g, i) => g + before[i]),
        { rtol: 1e-4, atol: 1e-5, name: `d${name}` },
      )
    }
  }
})

test.run()
