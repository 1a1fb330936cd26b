/**
 * An encoder with a label for every word, as a step that can be captured (Hugging Face: AlbertForTokenClassification,
 * BertForTokenClassification). The scored rows are the first pieces of words; targets are label numbers.
 */
import { dynamic } from '../ops/shape.js'
import { type Affine, declareDense } from './block.js'
import { batchInputs, declareEncoder, encode, pickRows } from './encoder.js'
import type { Example, Head, HeadModel } from './head.js'
import { captureLoss, classificationLoss, classify } from './heads.js'

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
  inputs(examples, labelled): Record<string, Int32Array> {
    return labelled ? { targets: labels(examples) } : {}
  },
  weight: ({ scored }) => scored.length,
}

/** Targets of all examples, one behind the other. */
function labels(examples: readonly Example[]): Int32Array {
  const targets = new Int32Array(examples.reduce((n, { scored }) => n + scored.length, 0))
  let at = 0
  for (const { targets: own, scored } of examples) {
    if (!own) throw new Error('an example without targets is to be trained on')
    targets.set(own, at)
    at += scored.length
  }
  return targets
}
