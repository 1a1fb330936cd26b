/** TensorFlow.js on WebGPU, in Node and in pages; what a peer's module is: bench/support/webgpu/lab.ts. */
import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-webgpu'

export async function open() {
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js: its WebGPU backend does not start')
  await tf.ready()
  const backend = tf.backend()
  return {
    description: { peer: 'TensorFlow.js', version: tf.version.tfjs, backend: tf.getBackend() },
    kinds: {
      product,
      attention,
      layernorm,
      dropout_add_layernorm: dropoutAddLayernorm,
      cross_entropy: crossEntropy,
      linear_cross_entropy: linearCrossEntropy,
      lamb,
      albert_step: albertStep,
    },
    async sync() {
      backend.endComputePassEncoder()
      backend.submitQueue()
      await backend.device.queue.onSubmittedWorkDone()
    },
  }
}

const tensor = ({ data, shape }) => tf.tensor(data, shape, data instanceof Int32Array ? 'int32' : 'float32')
const tensors = (operands) => Object.fromEntries(Object.entries(operands).map(([n, o]) => [n, tensor(o)]))

/** What `compute` makes, tensors by name, is read once and then thrown away in each run. */
function pure(compute) {
  return {
    async first() {
      const results = tf.tidy(compute)
      const entries = Object.entries(results).map(async ([name, y]) => [name, await y.data()])
      const found = Object.fromEntries(await Promise.all(entries))
      tf.dispose(results)
      return found
    },
    run: () => tf.dispose(tf.tidy(compute)),
  }
}

function product({ sizes: { transposeA, transposeB }, operands }) {
  const { a, b, bias } = tensors(operands)
  const [ta, tb] = [transposeA === 1, transposeB === 1]
  return pure(() => ({
    y: bias ? tf.fused.matMul({ a, b, transposeA: ta, transposeB: tb, bias }) : tf.matMul(a, b, ta, tb),
  }))
}

/** Softmax of q k^T over the root of D, times v; [B,S,A,D] as a model has them. */
function attend(q, k, v) {
  const heads = (x) => tf.transpose(x, [0, 2, 1, 3])
  const scores = tf.mul(tf.matMul(heads(q), heads(k), false, true), 1 / Math.sqrt(q.shape[3]))
  return tf.transpose(tf.matMul(tf.softmax(scores), heads(v)), [0, 2, 1, 3])
}

function attention({ sizes: { backward }, operands }) {
  const { q, k, v, dy } = tensors(operands)
  if (!backward) return pure(() => ({ y: attend(q, k, v) }))
  const both = tf.valueAndGrads(attend)
  return pure(() => {
    const { value: y, grads } = both([q, k, v], dy)
    return { y, dq: grads[0], dk: grads[1], dv: grads[2] }
  })
}

function normalize(x, weight, bias, eps) {
  const centred = tf.sub(x, tf.mean(x, -1, true))
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps))
  return tf.add(tf.mul(tf.mul(centred, rstd), weight), bias)
}

function layernorm({ sizes: { eps, backward }, operands }) {
  const { x, weight, bias, dy } = tensors(operands)
  if (!backward) return pure(() => ({ y: normalize(x, weight, bias, eps) }))
  const both = tf.valueAndGrads((x, weight, bias) => normalize(x, weight, bias, eps))
  return pure(() => {
    const { value: y, grads } = both([x, weight, bias], dy)
    return { y, dx: grads[0], dweight: grads[1], dbias: grads[2] }
  })
}

/** Normalization of a residual and what dropout leaves of x; with dropout the sum, which shows the mask, is a result. */
function dropoutAddLayernorm({ sizes: { eps, p, backward }, operands }) {
  const { x, residual, weight, bias, dy } = tensors(operands)
  let sum
  const norm = (x, residual, weight, bias) => {
    sum = tf.keep(tf.add(residual, p > 0 ? tf.dropout(x, p) : x))
    return normalize(sum, weight, bias, eps)
  }
  const both = tf.valueAndGrads(norm)
  const compute = () => {
    if (!backward) return { y: norm(x, residual, weight, bias) }
    const { value: y, grads } = both([x, residual, weight, bias], dy)
    return { y, dx: grads[0], dresidual: grads[1], dweight: grads[2], dbias: grads[3] }
  }
  const { first, run } = pure(compute)
  return {
    async first() {
      const results = await first()
      results.sum = await sum.data()
      sum.dispose()
      return results
    },
    run() {
      run()
      sum.dispose()
    },
  }
}

/** Its own softmaxCrossEntropy, which wants the labels as rows of ones and zeros. */
function entropyOf(logits, labels) {
  const rows = tf.cast(tf.oneHot(labels, logits.shape[1]), 'float32')
  return tf.losses.softmaxCrossEntropy(rows, logits, undefined, 0, tf.Reduction.NONE)
}

function crossEntropy({ operands }) {
  const { logits, labels, dloss } = tensors(operands)
  const both = tf.valueAndGrad((x) => entropyOf(x, labels))
  return pure(() => {
    const { value: loss, grad } = both(logits, dloss)
    return { loss, dlogits: grad }
  })
}

function linearCrossEntropy({ operands }) {
  const { x, weight, bias, labels, dloss } = tensors(operands)
  const both = tf.valueAndGrads((a, b, bias) =>
    entropyOf(tf.fused.matMul({ a, b, transposeB: true, bias }), labels),
  )
  return pure(() => {
    const { value: loss, grads } = both([x, weight, bias], dloss)
    return { loss, dx: grads[0], dweight: grads[1], dbias: grads[2] }
  })
}

/** New value and moments of one tensor (You et al. 2020); `scale` has clipped the gradient. */
function lambOf({ p, g, m, v }, { decay, adapt }, scale, { lr, beta1, beta2, eps, decay: rate, ...rest }) {
  const { correction1 = 1, correction2 = 1 } = rest
  const clipped = tf.mul(g, scale)
  const m2 = tf.add(tf.mul(m, beta1), tf.mul(clipped, 1 - beta1))
  const v2 = tf.add(tf.mul(v, beta2), tf.mul(tf.square(clipped), 1 - beta2))
  const direction = tf.div(tf.div(m2, correction1), tf.add(tf.sqrt(tf.div(v2, correction2)), eps))
  const u = decay ? tf.add(direction, tf.mul(p, rate)) : direction
  const norm = (x) => tf.sqrt(tf.sum(tf.square(x)))
  const step = adapt ? tf.mul(u, tf.div(norm(p), norm(u))) : u
  return { p: tf.sub(p, tf.mul(step, lr)), m: m2, v: v2 }
}

/** The tensors of an arena. */
function cut({ data }, places) {
  return places.map(({ shape, offset, size }) => tf.tensor(data.subarray(offset, offset + size), shape))
}

function lamb({ sizes, operands, tensors: places }) {
  const g = cut(operands.gradients, places)
  let state = {
    p: cut(operands.parameters, places),
    m: cut(operands.moment1, places),
    v: cut(operands.moment2, places),
  }
  const scale = Math.min(1, sizes.clip / sizes.norm)
  const run = () => {
    const old = state
    state = tf.tidy(() => {
      const of = (i) => ({ p: old.p[i], g: g[i], m: old.m[i], v: old.v[i] })
      const all = places.map((place, i) => lambOf(of(i), place, scale, sizes))
      return { p: all.map(({ p }) => p), m: all.map(({ m }) => m), v: all.map(({ v }) => v) }
    })
    tf.dispose(old)
  }
  return {
    async first() {
      run()
      return { parameters: await joined(state.p) }
    },
    run,
  }
}

async function joined(list) {
  const parts = await Promise.all(list.map((one) => one.data()))
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function gelu(x) {
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI))
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1))
}

/** ALBERT's loss of masked words and of the order of sentences, with parameters by their names at Hugging Face. */
function albertLoss(
  w,
  { ids, segments, positions, masked_rows, masked_labels, first_rows, sop_labels },
  sizes,
) {
  const { B, S, H, A, L, masked } = sizes
  const dense = (x, name) =>
    tf.fused.matMul({ a: x, b: w(`${name}.weight`), transposeB: true, bias: w(`${name}.bias`) })
  const norm = (x, name) => normalize(x, w(`${name}.weight`), w(`${name}.bias`), 1e-12)
  const look = (table, index) => tf.gather(w(`albert.embeddings.${table}_embeddings.weight`), index)
  const embedded = tf.add(
    tf.add(look('word', ids), look('token_type', segments)),
    look('position', positions),
  )
  let x = dense(norm(embedded, 'albert.embeddings.LayerNorm'), 'albert.encoder.embedding_hidden_mapping_in')
  const block = 'albert.encoder.albert_layer_groups.0.albert_layers.0'
  for (let layer = 0; layer < L; layer++) {
    const part = (name) => tf.reshape(dense(x, `${block}.attention.${name}`), [B, S, A, H / A])
    const mixed = tf.reshape(attend(part('query'), part('key'), part('value')), [B * S, H])
    const middle = norm(tf.add(dense(mixed, `${block}.attention.dense`), x), `${block}.attention.LayerNorm`)
    const out = dense(gelu(dense(middle, `${block}.ffn`)), `${block}.ffn_output`)
    x = norm(tf.add(out, middle), `${block}.full_layer_layer_norm`)
  }
  const told = norm(gelu(dense(tf.gather(x, masked_rows), 'predictions.dense')), 'predictions.LayerNorm')
  const words = w('albert.embeddings.word_embeddings.weight')
  const logits = tf.fused.matMul({ a: told, b: words, transposeB: true, bias: w('predictions.bias') })
  const mlm = tf.div(tf.sum(entropyOf(logits, masked_labels)), masked + 1e-5)
  const pooled = tf.tanh(dense(tf.gather(x, first_rows), 'albert.pooler'))
  return tf.add(mlm, tf.mean(entropyOf(dense(pooled, 'sop_classifier.classifier'), sop_labels)))
}

function albertStep({ sizes, operands: { parameters, ...rest }, tensors: places }) {
  const batch = tensors(rest)
  const variables = cut(parameters, places).map((value) => tf.variable(value))
  const at = new Map(places.map(({ name }, i) => [name, variables[i]]))
  let moments = {
    m: variables.map(({ shape }) => tf.zeros(shape)),
    v: variables.map(({ shape }) => tf.zeros(shape)),
  }
  const loss = () => albertLoss((name) => at.get(name), batch, sizes)
  const run = () => {
    const old = moments
    moments = tf.tidy(() => {
      const { grads } = tf.variableGrads(loss, variables)
      const g = variables.map(({ name }) => grads[name])
      // addN would bind more buffers than WebGPU promises
      const norm = tf.sqrt(g.map((one) => tf.sum(tf.square(one))).reduce((a, b) => tf.add(a, b)))
      const scale = tf.minimum(tf.div(sizes.clip, norm), 1)
      const all = variables.map((p, i) =>
        lambOf({ p, g: g[i], m: old.m[i], v: old.v[i] }, places[i], scale, sizes),
      )
      variables.forEach((variable, i) => {
        variable.assign(all[i].p)
      })
      return { m: all.map(({ m }) => m), v: all.map(({ v }) => v) }
    })
    tf.dispose(old)
  }
  const now = async () => {
    const value = tf.tidy(loss)
    const [number] = await value.data()
    value.dispose()
    return number
  }
  return {
    async first() {
      const before = await now()
      run()
      run()
      return { losses: Float32Array.of(before, await now()) }
    },
    run,
  }
}
