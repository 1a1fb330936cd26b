/**
 * What fine-tuning, evaluation and prediction ask of a head: one contract, so that the loops know none of them. A head looks
 * at some rows of the encoder's hidden states, the scored rows, and gives each of them K logits.
 */
import type { Capture, Tensor } from '../autograd/tensor.js'
import type { ParameterSet } from '../graph/parameters.js'
import type { ModelConfig } from './config.js'
import type { BatchCapacity, EncodeOptions } from './encoder.js'
import type { EncoderParameters } from './encoder_parameters.js'
import type { ProblemType } from './huggingface.js'
import type { HeadName } from './kind.js'

/** One model input of n pieces. */
export interface Example {
  /** [n] Pieces, [CLS] and [SEP] among them. */
  readonly ids: Int32Array
  /** Where the pieces of the second segment begin; without it all are of the first. */
  readonly second?: number
  /** Positions of the scored rows, ascending; a head on the pooled vector has [0]. */
  readonly scored: Int32Array
  /**
   * What each scored row should be: class numbers i32 [scored] (negative: does not count), numbers f32 [scored, K], or the
   * positions of an answer's first and last piece i32 [2]. Absent where nothing is known.
   */
  readonly targets?: Int32Array | Float32Array
  /** Pieces of the text that did not fit (default 0). */
  readonly cut?: number
  /** Index of what the task made it from. */
  readonly item: number
}

/** How large a micro-batch can be. */
export interface HeadCapacity extends BatchCapacity {
  /** Scored rows of all sequences together. */
  readonly scored: number
  /** Most pieces of one sequence. */
  readonly length: number
}

export interface HeadModel {
  readonly config: ModelConfig
  readonly encoder: EncoderParameters
}

export interface Head<Model extends HeadModel = HeadModel> {
  /** Of its Hugging Face class, as in AlbertFor<name>. */
  readonly name: HeadName
  /** What config.json says of a classifier's loss, where it says anything. */
  readonly problemType?: ProblemType
  /** Whether the programs give `correct`, the number of right decisions, and how many an example has to take. */
  readonly decisions: ((example: Example) => number) | undefined
  /** Declares encoder and head with K outputs. */
  declare(set: ParameterSet, config: ModelConfig, outputs: number): Model
  /**
   * Captures logits f32 [scored, K] and, with `labelled`, the loss against `targets`. Inputs: those of `batchInputs`, scored_rows
   * i32 [scored], and what `inputs` adds. Run-time scalars: rows, sequences, scored, loss_scale (1 / weight of the step),
   * seed, draw. Outputs: logits; loss, loss_sum and, where there are decisions, correct.
   */
  capture(
    capture: Capture,
    model: Model,
    capacity: HeadCapacity,
    options: EncodeOptions & { readonly labelled: boolean },
  ): Tensor | undefined
  /**
   * The head's own inputs of a micro-batch: `targets` where `labelled`, and whatever else `capture` declared.
   * `length` is that of the capacity.
   */
  inputs(
    examples: readonly Example[],
    labelled: boolean,
    length: number,
  ): Readonly<Record<string, Int32Array | Float32Array>>
  /** What an example adds to the number by which the loss of a step is divided. */
  weight(example: Example): number
}
