import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { add, matmul, mean, mul, sum, tanh } from '../../src/autograd/functions.js'
import { crossEntropy, linear } from '../../src/autograd/layers.js'
import { sgd } from '../../src/autograd/sgd.js'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import { normal, ParameterSet, zeros } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { allclose, sameBits } from '../support/allclose.js'
import { onEveryIsa, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('training a model of one’s own')

const POINTS = 64
const HIDDEN = 16

/** Noisy corners of a square; the label tells whether the signs of the coordinates differ. */
function data(seed: number) {
  const r = random(seed)
  const points = new Float32Array(POINTS * 2)
  const labels = new Int32Array(POINTS)
  for (let n = 0; n < POINTS; n++) {
    const [a, b] = [r.integer(2), r.integer(2)]
    points.set([2 * a - 1 + 0.3 * r.normal(), 2 * b - 1 + 0.3 * r.normal()], 2 * n)
    labels[n] = a ^ b
  }
  return { points, labels }
}

/** Two layers, and the step that trains them. */
function network() {
  const parameters = new ParameterSet()
  const w1 = parameters.add('w1', [HIDDEN, 2], { init: normal(0.5) })
  const b1 = parameters.add('b1', [HIDDEN], { init: zeros })
  const w2 = parameters.add('w2', [2, HIDDEN], { init: normal(0.5) })
  const b2 = parameters.add('b2', [2], { init: zeros })
  const forward = (capture: Capture) => {
    const [W1, B1, W2, B2] = [w1, b1, w2, b2].map((p) => capture.parameter(p))
    const x = capture.input('points', [POINTS, 2])
    const hidden = tanh(linear(x, { weight: W1, bias: B1 }))
    const logits = add(matmul(hidden, W2, { transposeB: true }), B2)
    const { loss, correct } = crossEntropy(logits, capture.input('labels', [POINTS], 'i32'))
    capture.output('loss', mean(loss))
    capture.output('accuracy', mean(correct))
    return mean(loss)
  }
  const step = new Capture(parameters)
  step.backward(forward(step))
  sgd(step)
  const evaluate = new Capture(parameters)
  forward(evaluate)
  const r = random(3)
  return { parameters, step, evaluate, initial: parameters.initialize(() => r.normal) }
}

/** Trains, and gives the losses and the final weights. */
async function train(device: Parameters<Parameters<typeof onEveryIsa>[2]>[0], steps: number) {
  const { parameters, step, evaluate, initial } = network()
  const runtime = new Runtime(device, parameters, { step: step.graph, evaluate: evaluate.graph })
  try {
    await runtime.writeState('parameters', initial)
    const losses: number[] = []
    for (let k = 0; k < steps; k++) {
      await runtime.run('step', data(5), { learning_rate: 0.5 })
      losses.push((await runtime.read('step', 'loss'))[0])
    }
    await runtime.run('evaluate', data(6))
    const accuracy = (await runtime.read('evaluate', 'accuracy'))[0]
    return { losses, accuracy, weights: await runtime.readState('parameters') }
  } finally {
    runtime.free()
  }
}

onEveryIsa(test, 'XOR is learned, and holds for new points', async (device) => {
  const { losses, accuracy } = await train(device, 150)
  assert.ok(losses[0] > 0.5, `${losses[0]}`)
  assert.ok(losses.at(-1)! < 0.05, `${losses.at(-1)}`)
  assert.ok(accuracy > 0.95, `${accuracy}`)
})

test('the losses are those of float64', async () => {
  const { losses } = await withDevice({ threads: 2 }, (device) => train(device, 20))
  const { parameters, initial } = network()
  const take = (name: string) => {
    const { offset, size } = parameters.get(name)
    return Float64Array.from(initial.subarray(offset, offset + size))
  }
  const [w1, b1, w2, b2] = ['w1', 'b1', 'w2', 'b2'].map(take)
  const { points, labels } = data(5)
  const want: number[] = []
  for (let k = 0; k < losses.length; k++) {
    const [dw1, db1, dw2, db2] = [w1, b1, w2, b2].map((p) => new Float64Array(p.length))
    let loss = 0
    for (let n = 0; n < POINTS; n++) {
      const x = points.subarray(2 * n, 2 * n + 2)
      const h = Array.from({ length: HIDDEN }, (_, i) =>
        Math.tanh(w1[2 * i] * x[0] + w1[2 * i + 1] * x[1] + b1[i]),
      )
      const logits = [0, 1].map((c) => h.reduce((s, v, i) => s + v * w2[c * HIDDEN + i], b2[c]))
      const e = logits.map((v) => Math.exp(v))
      loss -= Math.log(e[labels[n]] / (e[0] + e[1])) / POINTS
      const dz = e.map((v, c) => (v / (e[0] + e[1]) - (c === labels[n] ? 1 : 0)) / POINTS)
      dz.forEach((d, c) => {
        db2[c] += d
        h.forEach((v, i) => {
          dw2[c * HIDDEN + i] += d * v
        })
      })
      h.forEach((v, i) => {
        const d = (dz[0] * w2[i] + dz[1] * w2[HIDDEN + i]) * (1 - v * v)
        db1[i] += d
        dw1[2 * i] += d * x[0]
        dw1[2 * i + 1] += d * x[1]
      })
    }
    want.push(loss)
    for (const [p, g] of [
      [w1, dw1],
      [b1, db1],
      [w2, dw2],
      [b2, db2],
    ])
      g.forEach((v, i) => {
        p[i] -= 0.5 * v
      })
  }
  allclose(losses, want, { rtol: 1e-4 })
})

test('the weights have the same bits on 1, 2, 3 and 7 threads', async () => {
  const [one, ...others] = await Promise.all(
    [1, 2, 3, 7].map((threads) => withDevice({ threads }, (device) => train(device, 30))),
  )
  for (const other of others) sameBits(other.weights, one.weights)
})

test('what is not trainable stays', () =>
  withDevice({ threads: 1 }, async (device) => {
    const parameters = new ParameterSet()
    const w = parameters.add('w', [2], { init: zeros })
    const frozen = parameters.add('frozen', [2], { init: zeros, trainable: false })
    const capture = new Capture(parameters)
    const loss = (x: Tensor, y: Tensor) => sum(mul(x, y))
    capture.backward(loss(capture.parameter(w), capture.parameter(frozen)))
    sgd(capture)
    const runtime = new Runtime(device, parameters, { step: capture.graph })
    const state = new Float32Array(parameters.arenaElements)
    state.set([1, 2], w.offset)
    state.set([10, 20], frozen.offset)
    await runtime.writeState('parameters', state)
    for (let k = 0; k < 2; k++) await runtime.run('step', {}, { learning_rate: 0.1 })
    const after = await runtime.readState('parameters')
    allclose(after.subarray(w.offset, w.offset + 2), [-1, -2])
    allclose(after.subarray(frozen.offset, frozen.offset + 2), [10, 20])
    runtime.free()
  }))

test.run()
