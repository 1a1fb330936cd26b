/**
 * An encoder with a label for every word, as a step that can be captured (Hugging Face: AlbertForTokenClassification,
 * BertForTokenClassification). The scored rows are the first pieces of words; targets are label numbers.
 */
import { dynamic } from '../ops/shape.js'
import { type Affine, declareDense } from './block.js'
import { batchInputs, declareEncoder, encode, pickRows } from './encoder.js'
import type { Head, HeadModel } from './head.js'
import { captureLoss, classificationLoss, classify, joined } from './heads.js'

export interface TokenClassificationModel extends HeadModel {
  readonly classifier: Affine
}

/** Encoder without pooler, and a classifier H -> labels. */
export const tokenHead: Head<TokenClassificationModel> = {
  name: 'TokenClassification',
  decisions: ({ scored }) => scored.length,
  declare: (set, config, outputs) => ({
    config,
    encoder: declareEncoder(set, config, false),
    classifier: declareDense(set, 'classifier', outputs, config.hiddenSize, config.initializerRange),
  }),
  capture(capture, { config, encoder, classifier }, capacity, options) {
    const batch = batchInputs(capture, capacity)
    const scored = dynamic('scored', capacity.scored)
    const scoredRows = capture.input('scored_rows', [scored], 'i32')
    const hidden = encode(capture, encoder, config, batch, options)
    return capture.named('classifier', () => {
      // dropout and projection only at the rows that carry a label: the others have no part in the loss
      const rows = pickRows(capture, hidden, scoredRows)
      const logits = classify(capture, classifier, rows, options.training ? config.classifierDropout : 0)
      capture.output('logits', logits)
      if (!options.labelled) return undefined
      const targets = capture.input('targets', [scored], 'i32')
      return captureLoss(capture, classificationLoss(capture, logits, targets))
    })
  },
  inputs(examples, labelled): Record<string, Int32Array | Float32Array> {
    return labelled ? { targets: joined(examples, Int32Array) } : {}
  },
  weight: ({ scored }) => scored.length,
}
