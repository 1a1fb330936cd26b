/**
 * The encoders, ALBERT's and BERT's: embeddings, L layers, pooler.
 *
 *   e = drop(LN(word + segment + position)),  x = e Wh^T + bh  [N,H] where the embeddings have a size of their own, else e
 *   L times the block of block.ts, the same in every layer (ALBERT) or each with its weights (BERT)
 *   pooled = tanh(x[first row of each sequence] Wp^T + bp)  [B,H]
 *
 * Batches are ragged: N rows in all, sequence b in rows cu_seqlens[b] to cu_seqlens[b+1] - 1.
 */
import type { Capture, Tensor } from '../autograd/tensor.js'
import { UserError } from '../error.js'
import type { ParameterSet } from '../graph/parameters.js'
import { cast } from '../ops/cast.js'
import { embedding } from '../ops/embedding.js'
import { gather } from '../ops/gather.js'
import { linear } from '../ops/linear.js'
import { pack } from '../ops/pack.js'
import { packInt8 } from '../ops/pack_int8.js'
import { type Dynamic, dynamic, isHalf, type Precision } from '../ops/shape.js'
import { unary } from '../ops/unary.js'
import { declareAlbert } from './albert.js'
import { declareBert } from './bert.js'
import { type Affine, block, tensors } from './block.js'
import type { ModelConfig } from './config.js'
import type { EncoderParameters } from './encoder_parameters.js'

/** Declares the parameters of the encoder that the configuration describes, with or without its pooler. */
export function declareEncoder(set: ParameterSet, config: ModelConfig, pooler: boolean): EncoderParameters {
  return (config.modelType === 'bert' ? declareBert : declareAlbert)(set, config, pooler)
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

export interface EncodeOptions {
  /** Dropout is applied. */
  readonly training: boolean
  /** Keep only the input of each layer and compute the rest again in the backward pass. */
  readonly recompute?: boolean
  /**
   * Type of the encoder's activations and of the operands of its products (default f32); int8: of the operands of its
   * dense layers only, and not for training. Sums, statistics, parameters, their gradients, heads and losses are f32
   * either way.
   */
  readonly precision?: Precision
}

/** The hidden states of the last layer, [rows, H]: bf16 or f16 with that `precision`, else f32. */
export function encode(
  capture: Capture,
  p: EncoderParameters,
  config: ModelConfig,
  batch: BatchInputs,
  { training, recompute, precision = 'f32' }: EncodeOptions,
): Tensor {
  if (training && precision === 'int8')
    throw new Error('int8 has no gradients (want f32, bf16 or f16 for training)')
  if (precision === 'f16') checkFours(config)
  const drop = training ? config.dropout : 0
  const operand = (weight: Tensor): Tensor =>
    isHalf(precision) && weight.shape.length === 2
      ? capture.apply(pack, [weight], { to: precision, gradient: training })[0]
      : weight
  // weights of 8 bits are made when the parameters are written, those of all layers one behind the other
  const matrix = (affine: Affine): Tensor => {
    const weight = capture.parameter(affine.weight)
    const isMatrix = weight.shape.length === (p.stacked ? 3 : 2)
    return precision === 'int8' && isMatrix ? capture.prepare(packInt8, weight, {}) : weight
  }
  // what all layers share is packed once, in front of them; what a layer has for itself when its turn comes
  const shared = new Map<Affine, Tensor>()
  if (!p.stacked)
    for (const affine of Object.values(p.block) as Affine[]) shared.set(affine, operand(matrix(affine)))
  const embedded = capture.named('embeddings', () => {
    const tables = [p.word, p.segment, p.position].map((t) => capture.parameter(t))
    const inputs = [
      batch.ids,
      batch.segments,
      batch.positions,
      ...tables,
      ...tensors(capture, p.embeddingNorm),
    ]
    const dtype = precision === 'bf16' ? 'bf16' : 'f32'
    const attrs = { eps: config.layerNormEps, p: drop, stream: capture.stream(), dtype } as const
    const [summed] = capture.apply(embedding, inputs, attrs)
    const e = precision === 'f16' ? capture.apply(cast, [summed], { to: 'f16' })[0] : summed
    if (!p.projection) return e
    const bias = capture.parameter(p.projection.bias)
    return capture.apply(linear, [e, operand(matrix(p.projection)), bias], {})[0]
  })
  const options = { cuSeqlens: batch.cuSeqlens, sequences: batch.sequences, drop, training }
  return capture.repeat(
    config.layers,
    embedded,
    (x, slice) => {
      const layer = (affine: Affine): [Tensor, Tensor] => {
        const bias = capture.parameter(affine.bias)
        return p.stacked ? [operand(slice(matrix(affine))), slice(bias)] : [shared.get(affine)!, bias]
      }
      return block(capture, x, p.block, layer, config, options)
    },
    { recompute, name: 'layer' },
  )
}

/** Throws a UserError unless all rows of f16 are whole fours, by which they are stored. */
function checkFours({ embeddingSize, hiddenSize, intermediateSize, heads }: ModelConfig): void {
  const sizes = {
    embedding_size: embeddingSize,
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    'hidden_size / num_attention_heads': hiddenSize / heads,
  }
  const wrong = Object.entries(sizes).filter(([, size]) => size % 4 !== 0)
  if (wrong.length === 0) return
  const found = wrong.map(([name, size]) => `${name} is ${size}`).join(', ')
  throw new UserError(`precision f16: ${found} (want multiples of four)`)
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
