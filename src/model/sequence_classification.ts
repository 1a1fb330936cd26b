/**
 * An encoder with K outputs for a whole sequence, on the pooled vector of its first row (Hugging Face:
 * AlbertForSequenceClassification, BertForSequenceClassification). Three heads that differ in their loss alone, over logits
 * x [scored,K] and targets y:
 *
 *   classHead  one of K classes, y i32 [scored]:      log sum_k exp(x_k) - x_y
 *   labelHead  any of K labels, y f32 [scored,K]:     log(1 + exp(x)) - x y, for each
 *   scoreHead  numbers, y f32 [scored,K]:             (x - y)^2, for each
 */
import { abs, add, equal, exp, less, log1p, mul, neg, square, sub } from '../autograd/functions.js'
import type { Capture, Tensor } from '../autograd/tensor.js'
import type { ParameterSet } from '../graph/parameters.js'
import { dynamic } from '../ops/shape.js'
import { type Affine, declareDense } from './block.js'
import type { ModelConfig } from './config.js'
import { batchInputs, declareEncoder, encode, pool } from './encoder.js'
import type { Example, Head, HeadModel } from './head.js'
import { captureLoss, classificationLoss, classify, joined, total } from './heads.js'
import type { ProblemType } from './huggingface.js'

export interface SequenceClassificationModel extends HeadModel {
  readonly classifier: Affine
}

type SequenceHead = Head<SequenceClassificationModel>

/** What one of the heads does with logits [scored,K]. */
interface Objective {
  readonly targets: typeof Int32Array | typeof Float32Array
  loss(capture: Capture, logits: Tensor, targets: Tensor): { sum: Tensor; correct?: Tensor }
}

/** Declares encoder and pooler, and a classifier H -> K. */
function declare(set: ParameterSet, config: ModelConfig, outputs: number): SequenceClassificationModel {
  return {
    config,
    encoder: declareEncoder(set, config, true),
    classifier: declareDense(set, 'classifier', outputs, config.hiddenSize, config.initializerRange),
  }
}

function captureWith({ targets, loss }: Objective): SequenceHead['capture'] {
  return (capture, model, capacity, options) => {
    const { config, encoder, classifier } = model
    const batch = batchInputs(capture, capacity)
    const scored = dynamic('scored', capacity.scored)
    const firstRows = capture.input('scored_rows', [scored], 'i32')
    const hidden = encode(capture, encoder, config, batch, options)
    const pooled = pool(capture, encoder.pooler!, hidden, firstRows)
    return capture.named('classifier', () => {
      const logits = classify(capture, classifier, pooled, options.training ? config.classifierDropout : 0)
      capture.output('logits', logits)
      if (!options.labelled) return undefined
      const wanted =
        targets === Int32Array
          ? capture.input('targets', [scored], 'i32')
          : capture.input('targets', logits.shape, 'f32')
      return captureLoss(capture, loss(capture, logits, wanted))
    })
  }
}

/** Numbers that an example's targets are: of i32 those that count. */
function targetCount({ targets }: Example): number {
  return targets instanceof Int32Array ? targets.filter((label) => label >= 0).length : (targets?.length ?? 0)
}

/** Log-loss of labels that exclude nothing: log(1 + e^x) - x y = |x|/2 + x (1/2 - y) + log(1 + e^-|x|), which cannot overflow. */
function labelLoss(capture: Capture, logits: Tensor, targets: Tensor): { sum: Tensor; correct: Tensor } {
  const size = abs(logits)
  const linear = add(mul(size, 0.5), mul(logits, sub(0.5, targets)))
  const loss = add(linear, log1p(exp(neg(size))))
  const right = equal(less(0, logits), less(0.5, targets))
  return { sum: total(capture, loss), correct: total(capture, right) }
}

function squaredError(capture: Capture, logits: Tensor, targets: Tensor): { sum: Tensor } {
  return { sum: total(capture, square(sub(logits, targets))) }
}

function head(problemType: ProblemType, { targets, loss }: Objective): SequenceHead {
  return {
    name: 'SequenceClassification',
    problemType,
    decisions: problemType === 'regression' ? undefined : targetCount,
    declare,
    capture: captureWith({ targets, loss }),
    inputs(examples, labelled): Readonly<Record<string, Int32Array | Float32Array>> {
      return labelled ? { targets: joined(examples, targets) } : {}
    },
    weight: targetCount,
  }
}

export const classHead = head('single_label_classification', {
  targets: Int32Array,
  loss: classificationLoss,
})
export const labelHead = head('multi_label_classification', { targets: Float32Array, loss: labelLoss })
export const scoreHead = head('regression', { targets: Float32Array, loss: squaredError })
