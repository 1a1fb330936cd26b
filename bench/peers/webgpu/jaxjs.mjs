/**
 * jax-js on WebGPU, in Node and in pages, every case one jitted function; what a peer's module is: bench/support/webgpu/lab.ts.
 * An array is used up by the function that takes it; `.ref` is one use more.
 */
import {
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  nn,
  numpy as np,
  random,
  tree,
  valueAndGrad,
  vjp,
} from '@jax-js/jax'

// jax-js maps and filters iterators, which Node does from 22 on
const iterators = Object.getPrototypeOf(Object.getPrototypeOf([].values()))
iterators.map ??= function* (f) {
  for (const value of this) yield f(value)
}
iterators.filter ??= function* (f) {
  for (const value of this) if (f(value)) yield value
}

export async function open() {
  if (!(await init('webgpu')).includes('webgpu')) throw new Error('jax-js: its WebGPU backend does not start')
  defaultDevice('webgpu')
  return {
    description: { peer: 'jax-js', backend: 'webgpu' },
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
      const all = pending.splice(0)
      await blockUntilReady(all.map(tree.ref))
      for (const one of all) tree.dispose(one)
    },
  }
}

/** Results that were asked for, kept until they are there: what is thrown away before would not be computed. */
const pending = []

const array = ({ data, shape }) => np.array(data).reshape([...shape])
const arrays = (operands) => Object.fromEntries(Object.entries(operands).map(([n, o]) => [n, array(o)]))

async function read(results) {
  const entries = Object.entries(results).map(async ([name, y]) => [name, await y.data()])
  return Object.fromEntries(await Promise.all(entries))
}

/** A jitted function of operands, results by name. */
function pure(compute, operands) {
  const run = jit(compute)
  return {
    first: () => read(run(tree.ref(operands))),
    run() {
      pending.push(run(tree.ref(operands)))
    },
    free: () => tree.dispose(operands),
  }
}

function product({ sizes: { transposeA, transposeB }, operands }) {
  return pure(({ a, b, bias }) => {
    const y = np.matmul(transposeA ? np.transpose(a) : a, transposeB ? np.transpose(b) : b)
    return { y: bias ? y.add(bias) : y }
  }, arrays(operands))
}

/** [B,S,A,D], as a model has them. */
const attend = (q, k, v) => nn.dotProductAttention(q, k, v)

function attention({ sizes: { backward }, operands }) {
  if (!backward) {
    const { q, k, v } = arrays(operands)
    return pure(({ q, k, v }) => ({ y: attend(q, k, v) }), { q, k, v })
  }
  return pure(({ q, k, v, dy }) => {
    const [y, pull] = vjp(attend, [q, k, v])
    const [dq, dk, dv] = pull(dy)
    return { y, dq, dk, dv }
  }, arrays(operands))
}

function normalize(x, weight, bias, eps) {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }))
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true })
  return centred
    .div(np.sqrt(variance.add(eps)))
    .mul(weight)
    .add(bias)
}

function layernorm({ sizes: { eps, backward }, operands }) {
  const norm = (x, weight, bias) => normalize(x, weight, bias, eps)
  if (!backward) {
    const { x, weight, bias } = arrays(operands)
    return pure(({ x, weight, bias }) => ({ y: norm(x, weight, bias) }), { x, weight, bias })
  }
  return pure(({ x, weight, bias, dy }) => {
    const [y, pull] = vjp(norm, [x, weight, bias])
    const [dx, dweight, dbias] = pull(dy)
    return { y, dx, dweight, dbias }
  }, arrays(operands))
}

/** Normalization of a residual and what dropout leaves of x; the mask is drawn in each run. The sum shows it. */
function dropoutAddLayernorm({ sizes: { eps, p, backward }, operands }) {
  const { dy, ...rest } = arrays(operands)
  const { shape } = operands.x
  const summed = (x, residual, keep) => residual.add(p > 0 ? x.mul(keep).mul(1 / (1 - p)) : x)
  const drawn = (key) => random.bernoulli(key, 1 - p, [...shape]).astype(np.float32)
  const given = { ...rest, ...(p > 0 && { key: random.key(7) }) }
  if (!backward) {
    dy.dispose()
    return pure(({ x, residual, weight, bias, key }) => {
      const sum = summed(x, residual, p > 0 ? drawn(key) : undefined)
      return { y: normalize(sum.ref, weight, bias, eps), ...shown(sum, p) }
    }, given)
  }
  return pure(
    ({ x, residual, weight, bias, key, dy }) => {
      const keep = p > 0 ? drawn(key) : undefined
      const sum = p > 0 ? summed(x.ref, residual.ref, keep.ref) : undefined
      const norm = (x, residual, weight, bias) => normalize(summed(x, residual, keep), weight, bias, eps)
      const [y, pull] = vjp(norm, [x, residual, weight, bias])
      const [dx, dresidual, dweight, dbias] = pull(dy)
      return { y, dx, dresidual, dweight, dbias, ...(p > 0 && { sum }) }
    },
    { ...given, dy },
  )
}

/** Without dropout nobody asks for the sum. */
function shown(sum, p) {
  if (p > 0) return { sum }
  sum.dispose()
  return {}
}

/**
 * Of each row. Labels are picked by comparison: nn.oneHot takes rows of an identity, which of a vocabulary of 30,000 is a buffer of
 * 3.6 GB that no device makes.
 */
function entropyOf(logits, labels) {
  const [N, C] = logits.shape
  const rows = np.equal(labels.reshape([N, 1]), np.arange(C).reshape([1, C])).astype(np.float32)
  return np.negative(np.sum(nn.logSoftmax(logits).mul(rows), -1))
}

function crossEntropy({ operands }) {
  return pure(({ logits, labels, dloss }) => {
    const [loss, pull] = vjp((x) => entropyOf(x, labels), [logits])
    const [dlogits] = pull(dloss)
    return { loss, dlogits }
  }, arrays(operands))
}

function linearCrossEntropy({ operands }) {
  return pure(({ x, weight, bias, labels, dloss }) => {
    const lossOf = (x, weight, bias) => entropyOf(np.matmul(x, np.transpose(weight)).add(bias), labels)
    const [loss, pull] = vjp(lossOf, [x, weight, bias])
    const [dx, dweight, dbias] = pull(dloss)
    return { loss, dx, dweight, dbias }
  }, arrays(operands))
}

/** New value and moments of one tensor (You et al. 2020); `scale` has clipped the gradient. */
function lambOf({ p, g, m, v }, { decay, adapt }, scale, { lr, beta1, beta2, eps, decay: rate, ...rest }) {
  const { correction1 = 1, correction2 = 1 } = rest
  const clipped = g.mul(scale)
  const m2 = m.mul(beta1).add(clipped.ref.mul(1 - beta1))
  const v2 = v.mul(beta2).add(np.square(clipped).mul(1 - beta2))
  const direction = m2.ref.mul(1 / correction1).div(np.sqrt(v2.ref.mul(1 / correction2)).add(eps))
  const u = decay ? direction.add(p.ref.mul(rate)) : direction
  const norm = (x) => np.sqrt(np.sum(np.square(x)))
  const step = adapt ? u.ref.mul(norm(p.ref).div(norm(u))) : u
  return { p: p.sub(step.mul(lr)), m: m2, v: v2 }
}

/** The tensors of an arena. */
function cut({ data }, places) {
  return places.map(({ shape, offset, size }) =>
    array({ data: data.slice(offset, offset + size), shape: shape.length === 0 ? [1] : shape }),
  )
}

/** Updates of all tensors, of lists of them. */
function update(state, g, places, scale, sizes) {
  const all = places.map((place, i) =>
    lambOf({ p: state.p[i], g: g[i], m: state.m[i], v: state.v[i] }, place, scale(), sizes),
  )
  return { p: all.map(({ p }) => p), m: all.map(({ m }) => m), v: all.map(({ v }) => v) }
}

function lamb({ sizes, operands, tensors: places }) {
  const gradients = cut(operands.gradients, places)
  let state = {
    p: cut(operands.parameters, places),
    m: cut(operands.moment1, places),
    v: cut(operands.moment2, places),
  }
  const scale = Math.min(1, sizes.clip / sizes.norm)
  const step = jit((state, g) => update(state, g, places, () => scale, sizes))
  const run = () => {
    state = step(state, tree.ref(gradients))
    pending.push(tree.ref(state))
  }
  return {
    async first() {
      run()
      return { parameters: await joined(state.p) }
    },
    run,
    free: () => tree.dispose([state, gradients]),
  }
}

async function joined(list) {
  const parts = await Promise.all(list.map((one) => one.ref.data()))
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function gelu(x) {
  const cube = np.square(x.ref).mul(x.ref)
  const inner = x.ref.add(cube.mul(0.044715)).mul(Math.sqrt(2 / Math.PI))
  return x.mul(0.5).mul(np.tanh(inner).add(1))
}

/** Rows of a product; jit scatters no gradient that is a view, which twice a sign makes it not to be. */
const rowsOf = (x, index) => np.negative(np.negative(np.take(x, index, 0)))

/** ALBERT's loss of masked words and of the order of sentences, with parameters by their names at Hugging Face. */
function albertLoss(w, batch, sizes) {
  const { B, S, H, A, L, masked } = sizes
  const { ids, segments, positions, masked_rows, masked_labels, first_rows, sop_labels } = batch
  const dense = (x, name) => np.matmul(x, np.transpose(w(`${name}.weight`))).add(w(`${name}.bias`))
  const norm = (x, name) => normalize(x, w(`${name}.weight`), w(`${name}.bias`), 1e-12)
  const look = (table, index) => np.take(w(`albert.embeddings.${table}_embeddings.weight`), index, 0)
  const embedded = look('word', ids).add(look('token_type', segments)).add(look('position', positions))
  let x = dense(norm(embedded, 'albert.embeddings.LayerNorm'), 'albert.encoder.embedding_hidden_mapping_in')
  const block = 'albert.encoder.albert_layer_groups.0.albert_layers.0'
  for (let layer = 0; layer < L; layer++) {
    const part = (name) => dense(x.ref, `${block}.attention.${name}`).reshape([B, S, A, H / A])
    const mixed = attend(part('query'), part('key'), part('value')).reshape([B * S, H])
    const middle = norm(dense(mixed, `${block}.attention.dense`).add(x), `${block}.attention.LayerNorm`)
    const out = dense(gelu(dense(middle.ref, `${block}.ffn`)), `${block}.ffn_output`)
    x = norm(out.add(middle), `${block}.full_layer_layer_norm`)
  }
  const told = norm(gelu(dense(rowsOf(x.ref, masked_rows), 'predictions.dense')), 'predictions.LayerNorm')
  const words = np.transpose(w('albert.embeddings.word_embeddings.weight'))
  const logits = np.matmul(told, words).add(w('predictions.bias'))
  const mlm = np.sum(entropyOf(logits, masked_labels)).mul(1 / (masked + 1e-5))
  const pooled = np.tanh(dense(rowsOf(x, first_rows), 'albert.pooler'))
  return mlm.add(np.mean(entropyOf(dense(pooled, 'sop_classifier.classifier'), sop_labels)))
}

function albertStep({ sizes, operands: { parameters, cu_seqlens: _, ...rest }, tensors: places }) {
  const batch = arrays(rest)
  const p = cut(parameters, places)
  const zeros = () => places.map(({ shape }) => np.zeros([...shape]))
  let state = { p, m: zeros(), v: zeros() }
  const index = new Map(places.map(({ name }, i) => [name, i]))
  const lossOf = (p, batch) => {
    const loss = albertLoss((name) => p[index.get(name)].ref, batch, sizes)
    tree.dispose(p)
    return loss
  }
  const loss = jit(lossOf)
  const step = jit((state, batch) => {
    const [value, g] = valueAndGrad(lossOf)(tree.ref(state.p), batch)
    value.dispose()
    const norm = np.sqrt(g.map((one) => np.sum(np.square(one.ref))).reduce((a, b) => a.add(b)))
    const scale = np.minimum(np.reciprocal(norm).mul(sizes.clip), 1)
    const next = update(state, g, places, () => scale.ref, sizes)
    scale.dispose()
    return next
  })
  const run = () => {
    state = step(state, tree.ref(batch))
    pending.push(tree.ref(state))
  }
  const now = async () => (await loss(tree.ref(state.p), tree.ref(batch)).data())[0]
  return {
    async first() {
      const before = await now()
      run()
      run()
      return { losses: Float32Array.of(before, await now()) }
    },
    run,
    free: () => tree.dispose([state, batch]),
  }
}
