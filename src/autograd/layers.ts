/**
 * What layers are made of: normalisation, dropout, dense layers, attention, losses. Those of several steps are one
 * kernel each. N is rows (tokens), H hidden size; parameters are tensors that the caller declares.
 */
import { attention as attentionOp } from '../ops/attention.js'
import { crossEntropy as crossEntropyOp } from '../ops/cross_entropy.js'
import { dropout as dropoutOp } from '../ops/dropout.js'
import { dropoutAddLayernorm as dropoutAddLayernormOp } from '../ops/dropout_add_layernorm.js'
import { embedding as embeddingOp } from '../ops/embedding.js'
import { layernorm as layernormOp } from '../ops/layernorm.js'
import { linear as linearOp } from '../ops/linear.js'
import { linearCrossEntropy as linearCrossEntropyOp } from '../ops/linear_cross_entropy.js'
import { type GeluForm, linearGelu as linearGeluOp } from '../ops/linear_gelu.js'
import { ShapeError } from '../ops/op.js'
import { type Dim, shapeText } from '../ops/shape.js'
import { softmax as softmaxOp } from '../ops/softmax.js'
import { applyOp } from './functions.js'
import type { Tensor } from './tensor.js'

/** Weight [O,I] or [H] and bias [O] or [H] of a layer. */
export interface LayerParameters {
  readonly weight: Tensor
  readonly bias: Tensor
}

export interface Losses {
  /** [N], 0 where the label is ignored. */
  readonly loss: Tensor
  /** [N], 1 where the largest logit is that of the label, else 0; no gradient. */
  readonly correct: Tensor
}

/** exp(x) / sum exp(x) over the last dimension. A row of -inf gives zeros. */
export function softmax(x: Tensor): Tensor {
  return applyOp(softmaxOp, [x], { log: false })[0]
}

/** x - log sum exp(x) over the last dimension. */
export function logSoftmax(x: Tensor): Tensor {
  return applyOp(softmaxOp, [x], { log: true })[0]
}

/** (x - mean) / sqrt(variance + eps) weight + bias over the last dimension: x [*,H], weight and bias [H]. */
export function layernorm(x: Tensor, { weight, bias }: LayerParameters, eps = 1e-12): Tensor {
  return applyOp(layernormOp, [x, weight, bias], { eps })[0]
}

/**
 * x / (1 - p) with probability 1 - p, else 0; p in [0, 1), and 0 gives x itself. A program with dropout wants the
 * run-time scalars `seed` and `draw` (the number of the forward pass); the same two give the same mask.
 */
export function dropout(x: Tensor, p: number): Tensor {
  return p === 0 ? x : applyOp(dropoutOp, [x], { p, stream: x.capture.stream() })[0]
}

/** x weight^T + bias: x [*,I], weight [O,I], bias [O] give [*,O]. */
export function linear(x: Tensor, { weight, bias }: LayerParameters): Tensor {
  return applyOp(linearOp, [x, weight, bias], {})[0]
}

/** gelu(x weight^T + bias) with GELU in its tanh form, or exact (`erf`). */
export function linearGelu(
  x: Tensor,
  { weight, bias }: LayerParameters,
  { form = 'tanh' }: { form?: GeluForm } = {},
): Tensor {
  return applyOp(linearGeluOp, [x, weight, bias], { form })[0]
}

/** layernorm(residual + dropout(x)): x and residual [N,H]. */
export function dropoutAddLayernorm(
  x: Tensor,
  residual: Tensor,
  { weight, bias }: LayerParameters,
  { p = 0, eps = 1e-12 }: { p?: number; eps?: number } = {},
): Tensor {
  const attrs = { p, eps, stream: x.capture.stream() }
  return applyOp(dropoutAddLayernormOp, [x, residual, weight, bias], attrs)[0]
}

/**
 * dropout(layernorm(word[ids] + segment[segments] + position[positions])): ids, segments and positions i32 [N], the
 * tables [V,E], [T,E] and [P,E] give [N,E].
 */
export function embedding(
  rows: { readonly ids: Tensor; readonly segments: Tensor; readonly positions: Tensor },
  tables: { readonly word: Tensor; readonly segment: Tensor; readonly position: Tensor },
  { weight, bias }: LayerParameters,
  { p = 0, eps = 1e-12 }: { p?: number; eps?: number } = {},
): Tensor {
  const { word, segment, position } = tables
  const inputs = [rows.ids, rows.segments, rows.positions, word, segment, position, weight, bias]
  return applyOp(embeddingOp, inputs, { p, eps, stream: word.capture.stream() })[0]
}

/**
 * Multi-head self-attention within each of B sequences: qkv [N,3H] holds queries, keys and values side by side,
 * cuSeqlens i32 [B+1] the rows at which sequences begin and the end of the last. Gives [N,H]. `sequences` is B where
 * it is a run-time size; `p` drops probabilities; `causal`: a row sees itself and the rows of its sequence in front of it.
 */
export function attention(
  qkv: Tensor,
  cuSeqlens: Tensor,
  {
    heads,
    sequences,
    p = 0,
    causal = false,
  }: { heads: number; sequences?: Dim; p?: number; causal?: boolean },
): Tensor {
  const [entries] = cuSeqlens.shape
  if (sequences === undefined && typeof entries !== 'number')
    throw new ShapeError(`attention: cuSeqlens is ${shapeText(cuSeqlens.shape)}, so sequences must be given`)
  const count = sequences ?? (entries as number) - 1
  const attrs = { heads, sequences: count, p, stream: qkv.capture.stream(), causal }
  return applyOp(attentionOp, [qkv, cuSeqlens], attrs)[0]
}

/** -log softmax(logits)[label]: logits [N,C], labels i32 [N]. A label below 0 is ignored, one past C makes the loss NaN. */
export function crossEntropy(logits: Tensor, labels: Tensor): Losses {
  const [loss, , correct] = applyOp(crossEntropyOp, [logits, labels], {})
  return { loss, correct }
}

/**
 * crossEntropy(linear(x, output), labels) without ever holding the logits: x [N,E], weight [V,E], bias [V], labels
 * i32 [N]. A label below 0 is ignored, one past the vocabulary makes the loss NaN.
 */
export function linearCrossEntropy(x: Tensor, { weight, bias }: LayerParameters, labels: Tensor): Losses {
  const [loss, , correct] = applyOp(linearCrossEntropyOp, [x, weight, bias, labels], {})
  return { loss, correct }
}
