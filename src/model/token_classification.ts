/**
 * An encoder with a label for every word, as a step that can be captured (Hugging Face: AlbertForTokenClassification,
 * BertForTokenClassification).
 */
import type { Capture, Tensor } from '../autograd/tensor.js'
import type { ParameterSet } from '../graph/parameters.js'
import { dynamic } from '../ops/shape.js'
import { type Affine, declareDense } from './block.js'
import type { ModelConfig } from './config.js'
import {
  type BatchCapacity,
  batchInputs,
  declareEncoder,
  type EncodeOptions,
  encode,
  pickRows,
} from './encoder.js'
import type { EncoderParameters } from './encoder_parameters.js'
import { classificationLoss, classify, scaled } from './heads.js'

export interface TokenClassificationModel {
  readonly config: ModelConfig
  readonly encoder: EncoderParameters
  readonly classifier: Affine
}

/** Declares encoder without pooler, and a classifier H -> labels. */
export function declareTokenClassification(
  set: ParameterSet,
  config: ModelConfig,
  labels: number,
): TokenClassificationModel {
  return {
    config,
    encoder: declareEncoder(set, config, false),
    classifier: declareDense(set, 'classifier', labels, config.hiddenSize, config.initializerRange),
  }
}

export interface TokenCapacity extends BatchCapacity {
  /** Labelled words (their first pieces) of all sequences together. */
  readonly words: number
}

/**
 * Captures logits [words, labels] at the rows `word_rows` i32 [words], the first pieces of words, and, with
 * `labelled`, the loss against word_labels i32 [words] (negative: does not count). Run-time scalars: rows, sequences,
 * words, loss_scale (1 / labelled words of the step), seed, draw. Outputs: logits; loss, loss_sum and correct.
 */
export function tokenClassification(
  capture: Capture,
  model: TokenClassificationModel,
  capacity: TokenCapacity,
  options: EncodeOptions & { labelled: boolean },
): Tensor | undefined {
  const { config } = model
  const batch = batchInputs(capture, capacity)
  const wordRows = capture.input('word_rows', [dynamic('words', capacity.words)], 'i32')
  const hidden = encode(capture, model.encoder, config, batch, options)
  return capture.named('classifier', () => {
    // dropout and projection only at the rows that carry a label: the others have no part in the loss
    const rows = pickRows(capture, hidden, wordRows)
    const logits = classify(capture, model.classifier, rows, options.training ? config.classifierDropout : 0)
    capture.output('logits', logits)
    if (!options.labelled) return undefined
    const labels = capture.input('word_labels', [dynamic('words', capacity.words)], 'i32')
    const loss = classificationLoss(capture, logits, labels)
    const mean = scaled(capture, loss.sum, 'loss_scale')
    capture.output('loss', mean)
    capture.output('loss_sum', loss.sum)
    capture.output('correct', loss.correct)
    return mean
  })
}
