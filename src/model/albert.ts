/**
 * ALBERT (Lan et al. 2020): factorised embeddings, one transformer block used L times, post-layernorm.
 *
 *   e = drop(LN(word + segment + position))  [N,E],   x = e Wh^T + bh  [N,H]
 *   L times:  a = LN(x + drop(attention(x) Wo^T + bo)),  x = LN(a + drop(gelu(a W1^T + b1) W2^T + b2))
 *   pooled = tanh(x[first row of each sequence] Wp^T + bp)  [B,H]
 *
 * Batches are ragged: N rows in all, sequence b in rows cu_seqlens[b] to cu_seqlens[b+1] - 1. Parameters carry the
 * names of Hugging Face's AlbertModel.
 */
import type { Capture, Tensor } from '../autograd/tensor.js'
import { ones, type Parameter, type ParameterSet, truncatedNormal, zeros } from '../graph/parameters.js'
import { attention } from '../ops/attention.js'
import { cast } from '../ops/cast.js'
import { dropoutAddLayernorm } from '../ops/dropout_add_layernorm.js'
import { embedding } from '../ops/embedding.js'
import { gather } from '../ops/gather.js'
import { linear } from '../ops/linear.js'
import { linearGelu } from '../ops/linear_gelu.js'
import { pack } from '../ops/pack.js'
import { type Dynamic, dynamic, type FloatType } from '../ops/shape.js'
import { unary } from '../ops/unary.js'
import type { AlbertConfig } from './config.js'

/** Weight and bias of a dense layer or of a layer normalisation. */
export interface Affine {
  readonly weight: Parameter
  readonly bias: Parameter
}

export interface AlbertParameters {
  readonly word: Parameter
  readonly segment: Parameter
  readonly position: Parameter
  readonly embeddingNorm: Affine
  readonly projection: Affine
  readonly qkv: Affine
  readonly attentionOutput: Affine
  readonly attentionNorm: Affine
  readonly ffn: Affine
  readonly ffnOutput: Affine
  readonly outputNorm: Affine
  readonly pooler?: Affine
}

/** Declares a dense layer: weight [out,in] truncated normal, bias zero. */
export function declareDense(
  set: ParameterSet,
  name: string,
  out: number,
  inner: number,
  range: number,
): Affine {
  return {
    weight: set.add(`${name}.weight`, [out, inner], { init: truncatedNormal(range) }),
    bias: set.add(`${name}.bias`, [out], { init: zeros }),
  }
}

/** Declares a layer normalisation: weight one, bias zero. */
export function declareNorm(set: ParameterSet, name: string, size: number): Affine {
  return {
    weight: set.add(`${name}.weight`, [size], { init: ones }),
    bias: set.add(`${name}.bias`, [size], { init: zeros }),
  }
}

/** Declares the parameters of the encoder, with or without its pooler. */
export function declareAlbert(set: ParameterSet, config: AlbertConfig, pooler: boolean): AlbertParameters {
  const { embeddingSize: E, hiddenSize: H, initializerRange: range } = config
  const init = truncatedNormal(range)
  const block = 'albert.encoder.albert_layer_groups.0.albert_layers.0'
  const part = (kind: string) =>
    ['query', 'key', 'value'].map((name) => ({ name: `${block}.attention.${name}.${kind}`, rows: H }))
  return {
    word: set.add('albert.embeddings.word_embeddings.weight', [config.vocabularySize, E], { init }),
    segment: set.add('albert.embeddings.token_type_embeddings.weight', [config.segmentTypes, E], { init }),
    position: set.add('albert.embeddings.position_embeddings.weight', [config.maxPositions, E], { init }),
    embeddingNorm: declareNorm(set, 'albert.embeddings.LayerNorm', E),
    projection: declareDense(set, 'albert.encoder.embedding_hidden_mapping_in', H, E, range),
    qkv: {
      weight: set.add(`${block}.attention.qkv.weight`, [3 * H, H], { init, parts: part('weight') }),
      bias: set.add(`${block}.attention.qkv.bias`, [3 * H], { init: zeros, parts: part('bias') }),
    },
    attentionOutput: declareDense(set, `${block}.attention.dense`, H, H, range),
    attentionNorm: declareNorm(set, `${block}.attention.LayerNorm`, H),
    ffn: declareDense(set, `${block}.ffn`, config.intermediateSize, H, range),
    ffnOutput: declareDense(set, `${block}.ffn_output`, H, config.intermediateSize, range),
    outputNorm: declareNorm(set, `${block}.full_layer_layer_norm`, H),
    pooler: pooler ? declareDense(set, 'albert.pooler', H, H, range) : undefined,
  }
}

/** How large a batch can be. */
export interface BatchCapacity {
  /** Tokens in all sequences together. */
  readonly rows: number
  readonly sequences: number
}

/** The inputs of a ragged batch; `rows` and `sequences` are run-time scalars of those names. */
export interface BatchInputs {
  readonly rows: Dynamic
  readonly sequences: Dynamic
  readonly ids: Tensor
  readonly segments: Tensor
  readonly positions: Tensor
  readonly cuSeqlens: Tensor
}

/** Declares the inputs ids, segments, positions i32 [rows] and cu_seqlens i32 [sequences + 1]. */
export function batchInputs(capture: Capture, capacity: BatchCapacity): BatchInputs {
  const rows = dynamic('rows', capacity.rows)
  const sequences = dynamic('sequences', capacity.sequences)
  return {
    rows,
    sequences,
    ids: capture.input('ids', [rows], 'i32'),
    segments: capture.input('segments', [rows], 'i32'),
    positions: capture.input('positions', [rows], 'i32'),
    cuSeqlens: capture.input('cu_seqlens', [capacity.sequences + 1], 'i32'),
  }
}

/** Weight and bias as tensors. */
export function tensors(capture: Capture, affine: Affine): [Tensor, Tensor] {
  return [capture.parameter(affine.weight), capture.parameter(affine.bias)]
}

export interface EncodeOptions {
  /** Dropout is applied. */
  readonly training: boolean
  /** Keep only the input of each layer and compute the rest again in the backward pass. */
  readonly recompute?: boolean
  /**
   * Type of the encoder's activations and of the operands of its products (default f32). Sums, statistics, parameters,
   * their gradients, heads and losses are f32 either way.
   */
  readonly precision?: FloatType
}

/** The hidden states of the last layer, [rows, H], of the type of `precision`. */
export function encode(
  capture: Capture,
  p: AlbertParameters,
  config: AlbertConfig,
  batch: BatchInputs,
  { training, recompute, precision = 'f32' }: EncodeOptions,
): Tensor {
  const eps = config.layerNormEps
  const drop = training ? config.dropout : 0
  // before the layers: packed once, read by each of them
  const packed = new Map<Affine, Tensor>()
  if (precision === 'bf16')
    for (const layer of [p.projection, p.qkv, p.attentionOutput, p.ffn, p.ffnOutput])
      packed.set(layer, capture.apply(pack, [capture.parameter(layer.weight)], { gradient: training })[0])
  const affine = (layer: Affine) => {
    const [weight, bias] = tensors(capture, layer)
    return [packed.get(layer) ?? weight, bias]
  }
  const dense = (x: Tensor, layer: Affine) => capture.apply(linear, [x, ...affine(layer)], {})[0]
  const addNorm = (x: Tensor, residual: Tensor, norm: Affine) =>
    capture.apply(dropoutAddLayernorm, [x, residual, ...tensors(capture, norm)], {
      eps,
      p: drop,
      stream: capture.stream(),
    })[0]

  const embedded = capture.named('embeddings', () => {
    const tables = [p.word, p.segment, p.position].map((t) => capture.parameter(t))
    const inputs = [
      batch.ids,
      batch.segments,
      batch.positions,
      ...tables,
      ...tensors(capture, p.embeddingNorm),
    ]
    const [e] = capture.apply(embedding, inputs, {
      eps,
      p: drop,
      stream: capture.stream(),
      dtype: precision,
    })
    return dense(e, p.projection)
  })
  return capture.repeat(
    config.layers,
    embedded,
    (x) => {
      const attended = capture.named('attention', () => {
        const qkv = dense(x, p.qkv)
        const [context] = capture.apply(attention, [qkv, batch.cuSeqlens], {
          heads: config.heads,
          sequences: batch.sequences,
          p: drop,
          stream: capture.stream(),
        })
        return addNorm(dense(context, p.attentionOutput), x, p.attentionNorm)
      })
      return capture.named('ffn', () => {
        const [inner] = capture.apply(linearGelu, [attended, ...affine(p.ffn)], {})
        return addNorm(dense(inner, p.ffnOutput), attended, p.outputNorm)
      })
    },
    { recompute, name: 'layer' },
  )
}

/** The rows of hidden states that a head looks at, in f32: hidden [N,H], index i32 [M] give [M,H]. */
export function pickRows(capture: Capture, hidden: Tensor, index: Tensor): Tensor {
  const [rows] = capture.apply(gather, [hidden, index], {})
  return rows.spec.dtype === 'f32' ? rows : capture.apply(cast, [rows], { to: 'f32' })[0]
}

/** tanh of the pooled first row of each sequence, [sequences, H]; `first` i32 [sequences] holds their row numbers. */
export function pool(capture: Capture, pooler: Affine, hidden: Tensor, first: Tensor): Tensor {
  return capture.named('pooler', () => {
    const rows = pickRows(capture, hidden, first)
    const [projected] = capture.apply(linear, [rows, ...tensors(capture, pooler)], {})
    return capture.apply(unary, [projected], { fn: 'tanh' })[0]
  })
}
