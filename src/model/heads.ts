/**
 * What heads on the encoders are made of: masked language model with tied embeddings, sentence pairs, classifiers.
 * Losses are sums over examples, multiplied by a run-time scalar, so that micro-batches of one step add up to the mean.
 */
import { reshape } from '../autograd/functions.js'
import type { Capture, Tensor } from '../autograd/tensor.js'
import { type Parameter, type ParameterSet, zeros } from '../graph/parameters.js'
import { crossEntropy } from '../ops/cross_entropy.js'
import { dropout } from '../ops/dropout.js'
import { layernorm } from '../ops/layernorm.js'
import { linear } from '../ops/linear.js'
import { linearCrossEntropy } from '../ops/linear_cross_entropy.js'
import { reduce } from '../ops/reduce.js'
import { scale } from '../ops/scale.js'
import type { Dynamic } from '../ops/shape.js'
import { type Affine, activated, declareDense, declareNorm, tensors } from './block.js'
import type { ModelConfig, ModelType } from './config.js'
import { pickRows } from './encoder.js'
import type { EncoderParameters } from './encoder_parameters.js'
import type { Example } from './head.js'

/** What Hugging Face calls the heads of pretraining. */
const NAMES: Readonly<Record<ModelType, { dense: string; norm: string; bias: string; pairs: string }>> = {
  albert: {
    dense: 'predictions.dense',
    norm: 'predictions.LayerNorm',
    bias: 'predictions.bias',
    pairs: 'sop_classifier.classifier',
  },
  bert: {
    dense: 'cls.predictions.transform.dense',
    norm: 'cls.predictions.transform.LayerNorm',
    bias: 'cls.predictions.bias',
    pairs: 'cls.seq_relationship',
  },
}

export interface MlmHead {
  readonly dense: Affine
  readonly norm: Affine
  readonly bias: Parameter
}

/** Declares dense H -> E, layernorm and the bias of the tied output embeddings. */
export function declareMlmHead(set: ParameterSet, config: ModelConfig): MlmHead {
  const { embeddingSize: E, hiddenSize: H } = config
  const names = NAMES[config.modelType]
  return {
    dense: declareDense(set, names.dense, E, H, config.initializerRange),
    norm: declareNorm(set, names.norm, E),
    bias: set.add(names.bias, [config.vocabularySize], { init: zeros }),
  }
}

/** Declares the two classes of sentence pairs on the pooled vector: sentence order (ALBERT), next sentence (BERT). */
export function declarePairHead(set: ParameterSet, config: ModelConfig): Affine {
  return declareDense(set, NAMES[config.modelType].pairs, 2, config.hiddenSize, config.initializerRange)
}

export interface Loss {
  /** Sum of the losses of the examples, [1]. */
  readonly sum: Tensor
  /** Number of examples whose largest logit is the label, [1]. */
  readonly correct: Tensor
}

/** The sum of all elements, [1]. */
export function total(capture: Capture, x: Tensor): Tensor {
  return capture.apply(reduce, [reshape(x, [-1])], { fn: 'sum', axis: 0, keep: true })[0]
}

/** What the output embeddings are multiplied with: rows [M,H] give [M,E]. */
export function mlmFeatures(capture: Capture, head: MlmHead, config: ModelConfig, rows: Tensor): Tensor {
  const inner = activated(capture, rows, tensors(capture, head.dense), config, true)
  return capture.apply(layernorm, [inner, ...tensors(capture, head.norm)], { eps: config.layerNormEps })[0]
}

/** Masked language modelling at the rows `index` i32 [masked] with labels i32 [masked]. */
export function mlmLoss(
  capture: Capture,
  encoder: EncoderParameters,
  head: MlmHead,
  config: ModelConfig,
  hidden: Tensor,
  index: Tensor,
  labels: Tensor,
): Loss {
  return capture.named('mlm', () => {
    const x = mlmFeatures(capture, head, config, pickRows(capture, hidden, index))
    const output = [capture.parameter(encoder.word), capture.parameter(head.bias)]
    const [loss, , correct] = capture.apply(linearCrossEntropy, [x, ...output, labels], {})
    return { sum: total(capture, loss), correct: total(capture, correct) }
  })
}

/** Logits of a classifier, [*, C]; `p` is the dropout in front of it. */
export function classify(capture: Capture, classifier: Affine, x: Tensor, p: number): Tensor {
  const [dropped] = p > 0 ? capture.apply(dropout, [x], { p, stream: capture.stream() }) : [x]
  return capture.apply(linear, [dropped, ...tensors(capture, classifier)], {})[0]
}

/** Cross-entropy of logits [n,C] against labels i32 [n]; a negative label does not count. */
export function classificationLoss(capture: Capture, logits: Tensor, labels: Tensor): Loss {
  const [loss, , correct] = capture.apply(crossEntropy, [logits, labels], {})
  return { sum: total(capture, loss), correct: total(capture, correct) }
}

/** A loss sum times the run-time scalar of that name, [1]. */
export function scaled(capture: Capture, sum: Tensor, scalar: string): Tensor {
  return capture.apply(scale, [sum], { by: 1, scalar })[0]
}

/** The targets of all examples one after the other. Throws where an example has none, or some of another type. */
export function joined(
  examples: readonly Example[],
  type: typeof Int32Array | typeof Float32Array,
): Int32Array | Float32Array {
  const all = new type(examples.reduce((n, { targets }) => n + (targets?.length ?? 0), 0))
  let at = 0
  for (const { targets, item } of examples) {
    if (!(targets instanceof type)) throw new Error(`item ${item} has no targets of ${type.name}`)
    all.set(targets, at)
    at += targets.length
  }
  return all
}

/** A run-time number of rows of the batch, such as the masked ones, and their numbers. */
export function rowIndex(capture: Capture, name: string, count: Dynamic): Tensor {
  return capture.input(name, [count], 'i32')
}

/** The outputs of a labelled program: loss, loss_sum, and correct where decisions are counted. Returns the scaled loss. */
export function captureLoss(capture: Capture, { sum, correct }: Pick<Loss, 'sum'> & Partial<Loss>): Tensor {
  const mean = scaled(capture, sum, 'loss_scale')
  capture.output('loss', mean)
  capture.output('loss_sum', sum)
  if (correct) capture.output('correct', correct)
  return mean
}
