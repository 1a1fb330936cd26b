/**
 * What the encoders are made of: dense layers, layer normalisations, and the transformer block with post-layernorm.
 *
 *   a = LN(x + drop(attention(x) Wo^T + bo)),  y = LN(a + drop(f(a W1^T + b1) W2^T + b2))      all [N,H]
 *
 * f is GELU unless the configuration says otherwise.
 *
 * Where each layer has weights of its own they are one parameter each, stacked along a first dimension, so that graph
 * and program have one block whatever the number of layers; files and optimizers see the tensors of every layer.
 */
import type { Capture, Tensor } from '../autograd/tensor.js'
import {
  type Initializer,
  ones,
  type Parameter,
  type ParameterSet,
  truncatedNormal,
  zeros,
} from '../graph/parameters.js'
import { attention } from '../ops/attention.js'
import { cast } from '../ops/cast.js'
import { dropoutAddLayernorm } from '../ops/dropout_add_layernorm.js'
import { linear } from '../ops/linear.js'
import { linearGelu } from '../ops/linear_gelu.js'
import { type Dynamic, isHalf } from '../ops/shape.js'
import { unary } from '../ops/unary.js'
import type { ModelConfig } from './config.js'

/** Weight and bias of a dense layer or of a layer normalisation. */
export interface Affine {
  readonly weight: Parameter
  readonly bias: Parameter
}

export interface BlockParameters {
  readonly qkv: Affine
  readonly attentionOutput: Affine
  readonly attentionNorm: Affine
  readonly ffn: Affine
  readonly ffnOutput: Affine
  readonly outputNorm: Affine
}

/** What the layers of a block are called, without `.weight` and `.bias`. */
export interface BlockNames {
  /** The parameter that holds query, key and value, which are three tensors in files. */
  readonly qkv: string
  readonly query: string
  readonly key: string
  readonly value: string
  readonly attentionOutput: string
  readonly attentionNorm: string
  readonly ffn: string
  readonly ffnOutput: string
  readonly outputNorm: string
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

/**
 * Declares one block for all layers, or with `stacked` one for each of them. `names` is asked with the number of a
 * layer, and with `*` for what the stack itself is called.
 */
export function declareBlock(
  set: ParameterSet,
  config: ModelConfig,
  names: (layer: number | '*') => BlockNames,
  stacked: boolean,
): BlockParameters {
  const { hiddenSize: H, intermediateSize: I, layers: L } = config
  const matrix = truncatedNormal(config.initializerRange)
  const layers = stacked ? Array.from({ length: L }, (_, l) => l) : (['*'] as const)
  const declare = (
    key: keyof BlockNames,
    shape: readonly number[],
    init: Initializer,
    tensors: readonly (keyof BlockNames)[],
  ): Affine => {
    const add = (kind: 'weight' | 'bias', dims: readonly number[], initial: Initializer) => {
      const one = [dims[0] / tensors.length, ...dims.slice(1)]
      const parts = layers.flatMap((layer) =>
        tensors.map((tensor) => ({ name: `${names(layer)[tensor]}.${kind}`, shape: one })),
      )
      return set.add(`${names('*')[key]}.${kind}`, stacked ? [L, ...dims] : dims, { init: initial, parts })
    }
    return { weight: add('weight', shape, init), bias: add('bias', [shape[0]], zeros) }
  }
  const dense = (key: keyof BlockNames, out: number, inner: number, tensors = [key]) =>
    declare(key, [out, inner], matrix, tensors)
  const norm = (key: keyof BlockNames) => declare(key, [H], ones, [key])
  return {
    qkv: dense('qkv', 3 * H, H, ['query', 'key', 'value']),
    attentionOutput: dense('attentionOutput', H, H),
    attentionNorm: norm('attentionNorm'),
    ffn: dense('ffn', I, H),
    ffnOutput: dense('ffnOutput', H, I),
    outputNorm: norm('outputNorm'),
  }
}

/** Weight and bias as tensors. */
export function tensors(capture: Capture, affine: Affine): [Tensor, Tensor] {
  return [capture.parameter(affine.weight), capture.parameter(affine.bias)]
}

export interface BlockOptions {
  readonly cuSeqlens: Tensor
  readonly sequences: Dynamic
  /** Dropout of hidden states and probabilities. */
  readonly drop: number
  /** A backward pass will want what forward kernels save. */
  readonly training: boolean
}

/**
 * A dense layer and the activation behind it: x [*,in] to y [*,out]. Without `training` no backward pass will come. GELU is one
 * op with its dense layer; other functions follow it, in f32 whatever the type of x.
 */
export function activated(
  capture: Capture,
  x: Tensor,
  [weight, bias]: readonly [Tensor, Tensor],
  { gelu }: Pick<ModelConfig, 'gelu'>,
  training: boolean,
): Tensor {
  if (gelu === 'tanh' || gelu === 'erf')
    return capture.apply(linearGelu, [x, weight, bias], { form: gelu, save: training })[0]
  const [z] = capture.apply(linear, [x, weight, bias], {})
  const { dtype } = z.spec
  const wide = dtype === 'f32' ? z : capture.apply(cast, [z], { to: 'f32' })[0]
  const [y] = capture.apply(unary, [wide], { fn: gelu })
  return isHalf(dtype) ? capture.apply(cast, [y], { to: dtype })[0] : y
}

/** One layer: x [N,H] to y [N,H]. `layer` gives weight and bias of one of its parts in the iteration at hand. */
export function block(
  capture: Capture,
  x: Tensor,
  parameters: BlockParameters,
  layer: (affine: Affine) => [Tensor, Tensor],
  config: ModelConfig,
  { cuSeqlens, sequences, drop, training }: BlockOptions,
): Tensor {
  const dense = (input: Tensor, affine: Affine) => capture.apply(linear, [input, ...layer(affine)], {})[0]
  const addNorm = (input: Tensor, residual: Tensor, norm: Affine) =>
    capture.apply(dropoutAddLayernorm, [input, residual, ...layer(norm)], {
      eps: config.layerNormEps,
      p: drop,
      stream: capture.stream(),
    })[0]
  const attended = capture.named('attention', () => {
    const qkv = dense(x, parameters.qkv)
    const stream = capture.stream()
    const attrs = { heads: config.heads, sequences, p: drop, stream }
    const [context] = capture.apply(attention, [qkv, cuSeqlens], attrs)
    return addNorm(dense(context, parameters.attentionOutput), x, parameters.attentionNorm)
  })
  return capture.named('ffn', () => {
    const inner = activated(capture, attended, layer(parameters.ffn), config, training)
    return addNorm(dense(inner, parameters.ffnOutput), attended, parameters.outputNorm)
  })
}
