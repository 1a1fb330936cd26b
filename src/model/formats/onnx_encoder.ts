/**
 * The encoders of encoder.ts and block.ts as an ONNX graph over padded batches: B sequences of S pieces, all operators of the
 * standard set, f32, without dropout. What the mask leaves out gets the smallest float added to its scores, as transformers
 * does it. ALBERT's layers are L copies of the nodes over one copy of the weights.
 *
 * The nodes are those that PyTorch's exporter would write (MatMul and Add, GELU from its parts below operator set 20), because
 * the optimizers of ONNX Runtime know them by their pattern and fuse them.
 */

import type { Parameter } from '../../graph/parameters.js'
import type { Affine } from '../block.js'
import type { Activation, ModelConfig } from '../config.js'
import type { EncoderParameters } from '../encoder_parameters.js'
import type { OnnxGraph, Weight } from './onnx_graph.js'

/** The names of free dimensions, as Optimum has them. */
export const BATCH = 'batch_size'
export const LENGTH = 'sequence_length'

/** The smallest finite float32. */
const LOWEST = -3.4028234663852886e38
/** From this operator set on GELU is an operator. */
const GELU_OPSET = 20

/** Where the graph takes weights from. */
export interface OnnxWeights {
  /** Tensor `part` of a parameter, which has one part unless it is fused or stacked. */
  of(parameter: Parameter, part?: number): Weight
}

/** What is the same for everything that is built. */
export interface OnnxContext {
  readonly graph: OnnxGraph
  readonly weights: OnnxWeights
  readonly config: ModelConfig
}

/** An affine layer, and which part of its parameters is meant. */
type Layer = readonly [affine: Affine, part: number]

/** Declares the inputs and gives the hidden states of the last layer, [B,S,H], called `result` where a name is given. */
export function encoderGraph(context: OnnxContext, p: EncoderParameters, result?: string): string {
  const { graph, config } = context
  const free = [BATCH, LENGTH]
  const ids = graph.input('input_ids', 'int64', free)
  const mask = graph.input('attention_mask', 'int64', free)
  const segments = graph.input('token_type_ids', 'int64', free)
  const penalty = graph.within('mask', () => maskGraph(graph, mask))
  let x = graph.within('embeddings', () => embeddingGraph(context, p, ids, segments))
  for (let l = 0; l < config.layers; l++)
    x = graph.within(`layer.${l}`, () =>
      blockGraph(context, p, l, x, penalty, l === config.layers - 1 ? result : undefined),
    )
  return x
}

/** tanh of the pooled first row of each sequence, [B,H]. */
export function poolerGraph(context: OnnxContext, pooler: Affine, hidden: string, result?: string): string {
  const { graph } = context
  return graph.within('pooler', () => {
    const first = graph.node('Gather', [hidden, graph.integers(0)], { axis: 1 })
    return graph.node('Tanh', [dense(context, first, [pooler, 0])], {}, result)
  })
}

/** x W^T + b over the last dimension. */
export function dense(
  { graph, weights }: OnnxContext,
  x: string,
  [{ weight, bias }, part]: Layer,
  result?: string,
): string {
  const product = graph.node('MatMul', [x, graph.transposed(weights.of(weight, part))])
  return graph.node('Add', [product, graph.weight(weights.of(bias, part))], {}, result)
}

export function layernorm(
  { graph, weights, config }: OnnxContext,
  x: string,
  [{ weight, bias }, part]: Layer,
  result?: string,
): string {
  const inputs = [x, graph.weight(weights.of(weight, part)), graph.weight(weights.of(bias, part))]
  const attributes = { axis: -1, epsilon: { float: config.layerNormEps } }
  return graph.node('LayerNormalization', inputs, attributes, result)
}

/** The activation that the configuration says. */
export function activated({ graph, config }: OnnxContext, x: string): string {
  const { gelu } = config
  if (graph.opset >= GELU_OPSET && (gelu === 'erf' || gelu === 'tanh'))
    return graph.node('Gelu', [x], { approximate: gelu === 'tanh' ? 'tanh' : 'none' })
  return ACTIVATIONS[gelu](graph, x)
}

const ACTIVATIONS: Readonly<Record<Activation, (graph: OnnxGraph, x: string) => string>> = {
  relu: (graph, x) => graph.node('Relu', [x]),
  /** x / (1 + exp(-x)) */
  silu: (graph, x) => graph.node('Mul', [x, graph.node('Sigmoid', [x])]),
  /** x (1 + erf(x / sqrt 2)) / 2 */
  erf(graph, x) {
    const inner = graph.node('Erf', [graph.node('Div', [x, graph.scalar(Math.SQRT2)])])
    const doubled = graph.node('Mul', [x, graph.node('Add', [inner, graph.scalar(1)])])
    return graph.node('Mul', [doubled, graph.scalar(0.5)])
  },
  /** x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
  tanh(graph, x) {
    const cube = graph.node('Pow', [x, graph.scalar(3)])
    const inner = graph.node('Add', [x, graph.node('Mul', [cube, graph.scalar(0.044715)])])
    const bent = graph.node('Tanh', [graph.node('Mul', [inner, graph.scalar(Math.sqrt(2 / Math.PI))])])
    const half = graph.node('Mul', [x, graph.scalar(0.5)])
    return graph.node('Mul', [half, graph.node('Add', [bent, graph.scalar(1)])])
  },
}

/** What is added to scores [B,A,S,S], as [B,1,1,S]: 0 where the mask is 1, the smallest float where it is 0. */
function maskGraph(graph: OnnxGraph, mask: string): string {
  const rows = graph.node('Unsqueeze', [mask, graph.integers([1])])
  const wide = graph.node('Unsqueeze', [rows, graph.integers([2])])
  const left = graph.node('Sub', [graph.scalar(1), graph.node('Cast', [wide], { to: 1 })])
  return graph.node('Mul', [left, graph.scalar(LOWEST)])
}

function embeddingGraph(context: OnnxContext, p: EncoderParameters, ids: string, segments: string): string {
  const { graph, weights } = context
  const rows = (table: Parameter, index: string) =>
    graph.node('Gather', [graph.weight(weights.of(table)), index])
  const length = graph.node('Gather', [graph.node('Shape', [ids]), graph.integers([1])])
  const from = graph.integers([0])
  const positions = graph.node('Slice', [graph.weight(weights.of(p.position)), from, length, from])
  const sum = graph.node('Add', [rows(p.word, ids), rows(p.segment, segments)])
  const e = layernorm(context, graph.node('Add', [sum, positions]), [p.embeddingNorm, 0])
  return p.projection ? graph.within('projection', () => dense(context, e, [p.projection!, 0])) : e
}

/** Layer `l`: x [B,S,H] to [B,S,H]. */
function blockGraph(
  context: OnnxContext,
  { block, stacked }: EncoderParameters,
  l: number,
  x: string,
  penalty: string,
  result?: string,
): string {
  const { graph } = context
  const part = (affine: Affine, of = 1, which = 0): Layer => [affine, (stacked ? l * of : 0) + which]
  const attended = graph.within('attention', () => {
    const qkv = [0, 1, 2].map((which) => part(block.qkv, 3, which))
    const output = dense(context, attentionGraph(context, x, qkv, penalty), part(block.attentionOutput))
    return layernorm(context, graph.node('Add', [output, x]), part(block.attentionNorm))
  })
  return graph.within('ffn', () => {
    const inner = activated(context, dense(context, attended, part(block.ffn)))
    const output = dense(context, inner, part(block.ffnOutput))
    return layernorm(context, graph.node('Add', [output, attended]), part(block.outputNorm), result)
  })
}

/** softmax(Q K^T / sqrt D + penalty) V, heads side by side again: [B,S,H]. */
function attentionGraph(
  context: OnnxContext,
  x: string,
  [query, key, value]: readonly Layer[],
  penalty: string,
): string {
  const { graph, config } = context
  const D = config.hiddenSize / config.heads
  // a 0 keeps the size that is there
  const split = graph.integers([0, 0, config.heads, D])
  const heads = (name: string, layer: Layer, perm: readonly number[]) =>
    graph.within(name, () => {
      const apart = graph.node('Reshape', [dense(context, x, layer), split])
      return graph.node('Transpose', [apart], { perm })
    })
  const q = heads('query', query, [0, 2, 1, 3])
  const k = heads('key', key, [0, 2, 3, 1])
  const v = heads('value', value, [0, 2, 1, 3])
  const scores = graph.node('Div', [graph.node('MatMul', [q, k]), graph.scalar(Math.sqrt(D))])
  const shares = graph.node('Softmax', [graph.node('Add', [scores, penalty])], { axis: -1 })
  const mixed = graph.node('Transpose', [graph.node('MatMul', [shares, v])], { perm: [0, 2, 1, 3] })
  return graph.node('Reshape', [mixed, graph.integers([0, 0, config.hiddenSize])])
}
