/**
 * An encoder that marks an answer within its sequence (Hugging Face: AlbertForQuestionAnswering, BertForQuestionAnswering):
 * two logits a row, of the answer beginning there and of it ending there, each with a softmax over the rows of its sequence.
 *
 *   loss = sum over sequences of  CE(begin logits, first piece) + CE(end logits, last piece)
 *
 * Batches are ragged, softmaxes are not: for the loss the logits go to `span_rows`, T rows a sequence, where what lies past
 * the sequence's end is set to -1e30. That is 2 T floats a sequence and a few copies of them, of sequences that are there.
 */
import { add, less, mul, reshape, toFloat, transpose } from '../autograd/functions.js'
import type { Capture, Tensor } from '../autograd/tensor.js'
import type { ParameterSet } from '../graph/parameters.js'
import { gather } from '../ops/gather.js'
import { type Dynamic, dynamic } from '../ops/shape.js'
import { type Affine, declareDense } from './block.js'
import type { ModelConfig } from './config.js'
import { batchInputs, declareEncoder, encode, pickRows } from './encoder.js'
import type { Example, Head, HeadModel } from './head.js'
import { captureLoss, classificationLoss, classify, joined } from './heads.js'

/** Logits of a row: that the answer begins there, and that it ends there. */
const EDGES = 2
/** A logit whose exponential is 0 beside any other. */
const NEVER = -1e30

export interface QuestionAnsweringModel extends HeadModel {
  readonly outputs: Affine
}

/** logits [scored,2] of ragged sequences as [2 sequences, length]: begin and end logits of each in turn, -1e30 past its end. */
function bySequence(
  capture: Capture,
  logits: Tensor,
  rows: Tensor,
  sequences: Dynamic,
  length: number,
): Tensor {
  const [picked] = capture.apply(gather, [logits, rows], {})
  const spread = transpose(reshape(picked, [sequences, length, EDGES]), [0, 2, 1])
  const past = reshape(mul(less(toFloat(rows), 0), NEVER), [sequences, 1, length])
  return reshape(add(spread, past), [{ ...sequences, times: EDGES }, length])
}

/** Of the two edges of an answer those that are known. */
function edges({ targets }: Example): number {
  return targets ? (targets as Int32Array).filter((position) => position >= 0).length : 0
}

/** For each sequence its `length` rows among the scored ones, -1 past its end. */
function spanRows(examples: readonly Example[], length: number): Int32Array {
  const rows = new Int32Array(examples.length * length).fill(-1)
  let row = 0
  examples.forEach(({ ids, scored, item }, e) => {
    if (scored.length !== ids.length || scored.length > length)
      throw new Error(
        `item ${item}: ${scored.length} of ${ids.length} rows are scored (want all, and at most ${length})`,
      )
    for (let i = 0; i < scored.length; i++) rows[e * length + i] = row++
  })
  return rows
}

/** Every row is scored; targets are the positions of an answer's first and last piece, 0 and 0 where there is none. */
export const spanHead: Head<QuestionAnsweringModel> = {
  name: 'QuestionAnswering',
  decisions: edges,
  declare: (set: ParameterSet, config: ModelConfig, outputs: number) => {
    if (outputs !== EDGES) throw new Error(`a head of spans has ${EDGES} outputs, not ${outputs}`)
    return {
      config,
      encoder: declareEncoder(set, config, false),
      outputs: declareDense(set, 'qa_outputs', EDGES, config.hiddenSize, config.initializerRange),
    }
  },
  capture(capture, model, capacity, options) {
    const { config, encoder, outputs } = model
    const batch = batchInputs(capture, capacity)
    const scoredRows = capture.input('scored_rows', [dynamic('scored', capacity.scored)], 'i32')
    const hidden = encode(capture, encoder, config, batch, options)
    return capture.named('qa_outputs', () => {
      const logits = classify(capture, outputs, pickRows(capture, hidden, scoredRows), 0)
      capture.output('logits', logits)
      if (!options.labelled) return undefined
      const { sequences } = batch
      const { length } = capacity
      const rows = capture.input('span_rows', [{ ...sequences, times: length }], 'i32')
      const targets = capture.input('targets', [{ ...sequences, times: EDGES }], 'i32')
      const spread = bySequence(capture, logits, rows, sequences, length)
      return captureLoss(capture, classificationLoss(capture, spread, targets))
    })
  },
  inputs(examples, labelled, length): Readonly<Record<string, Int32Array | Float32Array>> {
    if (!labelled) return {}
    return { span_rows: spanRows(examples, length), targets: joined(examples, Int32Array) }
  },
  weight: edges,
}
