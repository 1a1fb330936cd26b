import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { square, sum } from '../../src/autograd/functions.js'
import * as layers from '../../src/autograd/layers.js'
import { Capture, Tensor } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { dynamic } from '../../src/ops/shape.js'
import { checkOp, integers, normals } from '../support/op_check.js'

const test = suite('layers')

const I = 3
const O = 5
const N = 4

/** x weight^T + bias, then `fn`. */
function dense(x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>, fn = (v: number) => v) {
  return Float64Array.from({ length: (x.length / I) * O }, (_, e) => {
    let v = b[e % O]
    for (let i = 0; i < I; i++) v += x[Math.floor(e / O) * I + i] * w[(e % O) * I + i]
    return fn(v)
  })
}

/** Layer normalisation of rows of `hidden`. */
function normalize(x: Float64Array, hidden: number, w: ArrayLike<number>, b: ArrayLike<number>, eps: number) {
  const y = new Float64Array(x.length)
  for (let n = 0; n < x.length; n += hidden) {
    const row = x.subarray(n, n + hidden)
    const mean = row.reduce((p, q) => p + q, 0) / hidden
    const variance = row.reduce((p, q) => p + (q - mean) ** 2, 0) / hidden
    row.forEach((v, h) => {
      y[n + h] = ((v - mean) / Math.sqrt(variance + eps)) * w[h] + b[h]
    })
  }
  return y
}

const affine = { x: normals(1, N, I), weight: normals(2, O, I), bias: normals(3, O) }

checkOp(test, 'linear', {
  inputs: affine,
  build: ({ x, weight, bias }) => [layers.linear(x, { weight, bias })],
  oracle: ({ x, weight, bias }) => [dense(x, weight, bias)],
})

checkOp(test, 'linearGelu', {
  inputs: affine,
  build: ({ x, weight, bias }) => [layers.linearGelu(x, { weight, bias })],
  oracle: ({ x, weight, bias }) => [
    dense(
      x,
      weight,
      bias,
      (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
    ),
  ],
})

checkOp(test, 'softmax and logSoftmax', {
  inputs: { x: normals(4, 3, 4) },
  build: ({ x }) => [layers.softmax(x), layers.logSoftmax(x)],
  oracle: ({ x }) => {
    const lse = Array.from({ length: 3 }, (_, n) => {
      let s = 0
      for (let c = 0; c < 4; c++) s += Math.exp(x[n * 4 + c])
      return Math.log(s)
    })
    const log = Float64Array.from(x, (v, e) => v - lse[Math.floor(e / 4)])
    return [log.map(Math.exp), log]
  },
  gradients: 2,
})

checkOp(test, 'layernorm, alone and after a residual', {
  inputs: { x: normals(5, 3, 6), r: normals(6, 3, 6), weight: normals(7, 6), bias: normals(8, 6) },
  build: ({ x, r, weight, bias }) => [
    layers.layernorm(x, { weight, bias }, 1e-3),
    layers.dropoutAddLayernorm(x, r, { weight, bias }, { eps: 1e-3 }),
  ],
  oracle: ({ x, r, weight, bias }) => [
    normalize(Float64Array.from(x), 6, weight, bias, 1e-3),
    normalize(
      Float64Array.from(x, (v, i) => v + r[i]),
      6,
      weight,
      bias,
      1e-3,
    ),
  ],
  gradients: 2,
  scalars: { seed: 1, draw: 1 },
})

checkOp(test, 'embedding', {
  inputs: {
    ids: integers(9, 0, 7, N),
    segments: integers(10, 0, 2, N),
    positions: integers(11, 0, 4, N),
    word: normals(12, 7, 6),
    segment: normals(13, 2, 6),
    position: normals(14, 4, 6),
    weight: normals(15, 6),
    bias: normals(16, 6),
  },
  build: ({ ids, segments, positions, word, segment, position, weight, bias }) => [
    layers.embedding(
      { ids, segments, positions },
      { word, segment, position },
      { weight, bias },
      { eps: 1e-3 },
    ),
  ],
  oracle: (t) => {
    const x = Float64Array.from({ length: N * 6 }, (_, e) => {
      const [n, h] = [Math.floor(e / 6), e % 6]
      return t.word[t.ids[n] * 6 + h] + t.segment[t.segments[n] * 6 + h] + t.position[t.positions[n] * 6 + h]
    })
    return [normalize(x, 6, t.weight, t.bias, 1e-3)]
  },
  scalars: { seed: 1, draw: 1 },
})

checkOp(test, 'attention of two sequences, one head', {
  inputs: { qkv: normals(17, 5, 9), cuSeqlens: { shape: [3], data: Int32Array.of(0, 2, 5) } },
  build: ({ qkv, cuSeqlens }) => [layers.attention(qkv, cuSeqlens, { heads: 1 })],
  oracle: ({ qkv, cuSeqlens }) => {
    const y = new Float64Array(15)
    for (let s = 0; s < 2; s++)
      for (let i = cuSeqlens[s]; i < cuSeqlens[s + 1]; i++) {
        const weights: number[] = []
        for (let j = cuSeqlens[s]; j < cuSeqlens[s + 1]; j++) {
          let score = 0
          for (let d = 0; d < 3; d++) score += qkv[i * 9 + d] * qkv[j * 9 + 3 + d]
          weights.push(Math.exp(score / Math.sqrt(3)))
        }
        const total = weights.reduce((a, b) => a + b, 0)
        weights.forEach((w, k) => {
          for (let d = 0; d < 3; d++) y[i * 3 + d] += (w / total) * qkv[(cuSeqlens[s] + k) * 9 + 6 + d]
        })
      }
    return [y]
  },
})

/** loss and correct of rows of O logits. */
function losses(logits: ArrayLike<number>, labels: ArrayLike<number>) {
  const loss = new Float64Array(labels.length)
  const correct = new Float64Array(labels.length)
  for (let n = 0; n < labels.length; n++) {
    if (labels[n] < 0) continue
    const x = Array.from({ length: O }, (_, c) => logits[n * O + c])
    loss[n] = Math.log(x.reduce((s, v) => s + Math.exp(v), 0)) - x[labels[n]]
    correct[n] = x.indexOf(Math.max(...x)) === labels[n] ? 1 : 0
  }
  return [loss, correct]
}

checkOp(test, 'crossEntropy', {
  inputs: { logits: normals(18, N, O), labels: integers(19, -1, O, N) },
  build: ({ logits, labels }) => {
    const { loss, correct } = layers.crossEntropy(logits, labels)
    return [loss, correct]
  },
  oracle: ({ logits, labels }) => losses(logits, labels),
})

checkOp(test, 'linearCrossEntropy', {
  inputs: { ...affine, labels: integers(20, -1, O, N) },
  build: ({ x, weight, bias, labels }) => {
    const { loss, correct } = layers.linearCrossEntropy(x, { weight, bias }, labels)
    return [loss, correct]
  },
  oracle: ({ x, weight, bias, labels }) => losses(dense(x, weight, bias), labels),
})

test('dropout of rate 0 is no op, and every other has a stream of its own', () => {
  const capture = new Capture(new ParameterSet())
  const x = capture.input('x', [3])
  assert.is(layers.dropout(x, 0), x)
  layers.dropout(x, 0.1)
  layers.dropout(x, 0.1)
  const streams = capture.graph.root.nodes.map((node) => node.kind === 'call' && node.attrs.stream)
  assert.is(new Set(streams).size, 2)
  assert.throws(() => layers.dropout(x, 1), /dropout: x is \[3\] f32/)
})

test('a run-time number of sequences must be named', () => {
  const capture = new Capture(new ParameterSet())
  const rows = dynamic('rows', 8)
  const qkv = capture.input('qkv', [rows, 6])
  const entries = capture.input('cu_seqlens', [dynamic('entries', 5)], 'i32')
  assert.throws(() => layers.attention(qkv, entries, { heads: 1 }), /so sequences must be given/)
  const y = layers.attention(qkv, entries, { heads: 1, sequences: dynamic('sequences', 4) })
  assert.ok(sum(square(y)) instanceof Tensor)
})

test.run()
