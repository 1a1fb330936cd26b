/**
 * An encoder with the heads of pretraining, as a step that can be captured (Hugging Face: AlbertForPreTraining,
 * BertForPreTraining). What ALBERT calls SOP, the order of two segments, and BERT NSP, whether the second is the next
 * one, is one head of two classes here, called `sop` whatever the labels mean.
 */
import type { Capture, Tensor } from '../autograd/tensor.js'
import type { ParameterSet } from '../graph/parameters.js'
import { binary } from '../ops/binary.js'
import { dynamic } from '../ops/shape.js'
import type { Affine } from './block.js'
import type { ModelConfig } from './config.js'
import {
  type BatchCapacity,
  batchInputs,
  declareEncoder,
  type EncodeOptions,
  encode,
  pool,
} from './encoder.js'
import type { EncoderParameters } from './encoder_parameters.js'
import {
  classificationLoss,
  classify,
  declareMlmHead,
  declarePairHead,
  type MlmHead,
  mlmLoss,
  scaled,
} from './heads.js'

export interface PretrainingModel {
  readonly config: ModelConfig
  readonly encoder: EncoderParameters
  readonly mlm: MlmHead
  readonly sop: Affine
}

export function declarePretraining(set: ParameterSet, config: ModelConfig): PretrainingModel {
  return {
    config,
    encoder: declareEncoder(set, config, true),
    mlm: declareMlmHead(set, config),
    sop: declarePairHead(set, config),
  }
}

export interface PretrainingCapacity extends BatchCapacity {
  /** Masked positions of all sequences together. */
  readonly masked: number
}

/**
 * Captures the losses. Inputs: those of `batchInputs`, and masked_rows, masked_labels i32 [masked], first_rows,
 * sop_labels i32 [sequences]. Run-time scalars: rows, sequences, masked, mlm_scale (1 / (masked tokens of the step
 * + 1e-5)), sop_scale (1 / sequences of the step), seed, draw.
 * Outputs: loss, and the sums mlm_loss, mlm_correct, sop_loss, sop_correct, each [1].
 */
export function pretrainingLoss(
  capture: Capture,
  model: PretrainingModel,
  capacity: PretrainingCapacity,
  options: EncodeOptions,
): Tensor {
  const { config, encoder } = model
  const batch = batchInputs(capture, capacity)
  const masked = dynamic('masked', capacity.masked)
  const maskedRows = capture.input('masked_rows', [masked], 'i32')
  const maskedLabels = capture.input('masked_labels', [masked], 'i32')
  const firstRows = capture.input('first_rows', [batch.sequences], 'i32')
  const sopLabels = capture.input('sop_labels', [batch.sequences], 'i32')

  const hidden = encode(capture, encoder, config, batch, options)
  const mlm = mlmLoss(capture, encoder, model.mlm, config, hidden, maskedRows, maskedLabels)
  const sop = capture.named('sop', () => {
    const pooled = pool(capture, encoder.pooler!, hidden, firstRows)
    return classificationLoss(capture, classify(capture, model.sop, pooled, 0), sopLabels)
  })
  const [loss] = capture.apply(
    binary,
    [scaled(capture, mlm.sum, 'mlm_scale'), scaled(capture, sop.sum, 'sop_scale')],
    { fn: 'add' },
  )
  capture.output('loss', loss)
  capture.output('mlm_loss', mlm.sum)
  capture.output('mlm_correct', mlm.correct)
  capture.output('sop_loss', sop.sum)
  capture.output('sop_correct', sop.correct)
  return loss
}
