/**
 * Projection onto a vocabulary and cross-entropy, in chunks of the vocabulary so that the logits are never whole in
 * memory: logits[m,v] = sum_e x[m,e] weight[v,e] + bias[v]; lse[m] = log sum_v exp(logits[m,v]);
 * loss[m] = lse[m] - logits[m, labels[m]]. x [M,E], weight [V,E], bias [V], labels i32 [M].
 * `correct` is 1 where the label is the first largest logit. A label below 0 is ignored: loss and correct 0, no gradient.
 * A label past the vocabulary makes the loss NaN, as in cross_entropy. Backward computes the logits again.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, f32, param, sameDim } from './shape.js'

/** Rows of the vocabulary in a chunk; one chunk is one task of the forward pass. */
export const VOCABULARY_CHUNK = 256
/** Groups of chunks, at most; one group is one task of the backward pass and one partial of dx. */
export const VOCABULARY_GROUPS = 32
/** Widest x: a tile of it must fit a thread's scratch. */
const WIDEST = 32000

export const linearCrossEntropy = defineOp<Record<string, never>>({
  name: 'linear_cross_entropy',
  inputs: ['x', 'weight', 'bias', 'labels'],
  outputs: ['loss', 'lse', 'correct'],
  infer([x, weight, bias, labels]) {
    const [rows, width] = x.shape
    const vocabulary = weight.shape[0]
    if (
      x.shape.length !== 2 ||
      typeof width !== 'number' ||
      width > WIDEST ||
      weight.shape.length !== 2 ||
      typeof vocabulary !== 'number' ||
      weight.shape[1] !== width ||
      bias.shape.length !== 1 ||
      bias.shape[0] !== vocabulary ||
      labels.shape.length !== 1 ||
      labels.dtype !== 'i32' ||
      !sameDim(labels.shape[0], rows)
    )
      throw shapeError(
        'linear_cross_entropy',
        { x, weight, bias, labels },
        `x [M,E], weight [V,E], bias [V], labels i32 [M], E at most ${WIDEST}`,
      )
    return [f32(rows), f32(rows), f32(rows)]
  },
  params: ({ x, weight }) => ({
    rows: param(x.shape[0]),
    width: capacity(x.shape[1]),
    vocabulary: capacity(weight.shape[0]),
  }),
  temporaries: ({ x, weight }) => {
    const rows = capacity(x.shape[0])
    const chunks = Math.ceil(capacity(weight.shape[0]) / VOCABULARY_CHUNK)
    return {
      statistics: f32(chunks + 1, 2, rows),
      partial: f32(Math.min(VOCABULARY_GROUPS, chunks), rows, capacity(x.shape[1])),
    }
  },
  forward: kernel(
    'linear_cross_entropy_forward',
    {
      x: 'read',
      weight: 'read',
      bias: 'read',
      labels: 'read',
      loss: 'write',
      lse: 'write',
      correct: 'write',
      statistics: 'scratch',
    },
    { rows: 'u32', width: 'u32', vocabulary: 'u32' },
    { multiplies: true },
  ),
  backward: [
    kernel(
      'linear_cross_entropy_backward',
      {
        dloss: 'read',
        x: 'read',
        weight: 'read',
        bias: 'read',
        labels: 'read',
        lse: 'read',
        dx: 'write',
        dweight: 'accumulate',
        dbias: 'accumulate',
        partial: 'scratch',
      },
      { rows: 'u32', width: 'u32', vocabulary: 'u32' },
      { multiplies: true },
    ),
  ],
  flops: ({ x, weight }) => 2 * elements(x) * capacity(weight.shape[0]),
  // three products, of which the logits are computed a second time
  work(kernel, { x, weight }) {
    if (kernel !== 'linear_cross_entropy_backward') return {}
    const product = 2 * elements(x) * capacity(weight.shape[0])
    return { flops: 3 * product, modelFlops: 2 * product }
  },
})
