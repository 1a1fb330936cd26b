/**
 * What a profile runs: a step of pretraining or fine-tuning, or labelling, on made-up batches. Ids, masked pieces and
 * labels are drawn from a seed; sequences have one length but for the last, which takes the rows that are left.
 */
import { Capture } from '../autograd/tensor.js'
import { Philox } from '../data/random.js'
import { SQUARES } from '../device/program.js'
import { UsageError } from '../error.js'
import type { Graph } from '../graph/graph.js'
import { ParameterSet } from '../graph/parameters.js'
import type { InputData } from '../graph/runtime.js'
import { type ModelConfig, preset } from '../model/config.js'
import { openModel } from '../model/folder.js'
import type { Example, Head } from '../model/head.js'
import type { PretrainedModel } from '../model/pretrained.js'
import { declarePretraining, pretrainingLoss } from '../model/pretraining.js'
import { loadPretrained } from '../model/weights.js'
import type { Precision } from '../ops/shape.js'
import { taskNamed } from '../tasks/index.js'
import { collate } from '../training/finetuning/batches.js'
import { capturePrediction } from '../training/finetuning/predictor.js'
import { initialValues } from '../training/initialize.js'
import { appendUpdate, DEFAULT_OPTIMIZER, optimizerInputs } from '../training/optimizer.js'
import { mlmScale } from '../training/pretraining/programs.js'

/** What a step is. */
export const KINDS = ['pretrain', 'finetune', 'predict'] as const
export type Kind = (typeof KINDS)[number]

export interface WorkloadOptions {
  readonly kind: Kind
  /** The task that is fine-tuned or applied, default entities. */
  readonly task?: string
  /** Sizes by name, over `vocabulary` pieces and with random weights; or those of a model folder, and its weights. */
  readonly preset?: string
  readonly vocabulary: number
  readonly model?: string
  /** Tokens of a step, and of a sequence (default 128, as far as the model has positions). */
  readonly rows: number
  readonly length?: number
  /** Tokens of each sequence, in place of `rows` and `length`. */
  readonly lengths?: readonly number[]
  /** Of the encoder, instead of the preset's. */
  readonly dropout?: number
  /** Compute activations again in the backward pass. */
  readonly recompute: boolean
  /** As in EncodeOptions; int8 for `predict` only. */
  readonly precision?: Precision
  readonly seed: number
}

export interface Workload {
  readonly parameters: ParameterSet
  readonly graph: Graph
  /** The parameter arena before the first step; drawn when it is asked for. */
  readonly initial: Float32Array
  readonly inputs: Readonly<Record<string, InputData>>
  /** Scalars of a run, and what the work of kernels depends on beside them. */
  readonly scalars: Readonly<Record<string, number>>
  readonly sizes: Readonly<Record<string, number>>
  readonly sequences: number
  readonly length: number
}

/** Pieces of a sequence that are masked, as in pretraining. */
const MASKED = 0.15
/** Pieces that begin a word: about what biomedical text has. */
const FIRST_PIECES = 0.7
/** Ids below are special pieces. */
const FIRST_ID = 5
const STREAM = 0x70726f66

/** Captures and fills a workload. Throws a UsageError for options that do not go together. */
export function makeWorkload(options: WorkloadOptions): Workload {
  const { kind, seed, precision } = options
  if (precision === 'int8' && kind !== 'predict')
    throw new UsageError(
      `--precision int8 is for inference (want f32 or bf16 for ${kind}, or profile predict)`,
    )
  const { config, model } = configuration(options)
  if (config.vocabularySize <= FIRST_ID)
    throw new UsageError(`a vocabulary of ${config.vocabularySize} pieces has only special ones`)
  const lengths = lengthsOf(options, config)
  const length = Math.max(...lengths)
  const rows = lengths.reduce((a, b) => a + b, 0)
  const parameters = new ParameterSet()
  const draw = new Philox(seed, STREAM)
  const batch = makeBatch(lengths, config, draw)
  const made =
    kind === 'pretrain'
      ? pretraining(parameters, config, lengths, options, draw)
      : fineTuning(parameters, config, batch, model?.labels, options, draw)
  const sequences = lengths.length
  const scalars = {
    rows,
    sequences,
    seed,
    draw: 0,
    lr: 1e-4,
    correction1: 1,
    correction2: 1,
    ...made.scalars,
  }
  const squares = lengths.reduce((n, s) => n + s * s, 0)
  return {
    parameters,
    graph: made.graph,
    get initial() {
      const values = initialValues(parameters, seed)
      if (model) load(model, kind, parameters, values)
      return values
    },
    inputs: { ...batch, ...made.inputs },
    scalars,
    sizes: { ...scalars, [SQUARES]: squares },
    sequences,
    length,
  }
}

/** Sequences of one length, but for the last; or those that were given. */
function lengthsOf(options: WorkloadOptions, { maxPositions }: ModelConfig): readonly number[] {
  const { rows } = options
  const length = Math.min(options.length ?? Math.min(128, maxPositions), rows)
  const lengths =
    options.lengths ??
    Array.from({ length: Math.ceil(rows / length) }, (_, b) => Math.min(length, rows - b * length))
  const longest = Math.max(...lengths)
  if (longest > maxPositions)
    throw new UsageError(`--length is ${longest}, but the model has ${maxPositions} positions`)
  return lengths
}

function configuration({ preset: name, vocabulary, model: dir, dropout }: WorkloadOptions): {
  config: ModelConfig
  model?: PretrainedModel
} {
  if ((name === undefined) === (dir === undefined))
    throw new UsageError('which model? give either --preset or --model')
  if (name !== undefined)
    return { config: preset(name, vocabulary, dropout === undefined ? {} : { dropout }) }
  const model = openModel(dir as string)
  return { config: model.config, model }
}

/** The weights of a folder; a classifier of other labels than the profile's has no part. */
function load(model: PretrainedModel, kind: Kind, parameters: ParameterSet, data: Float32Array): void {
  const isWanted = (name: string) => kind !== 'pretrain' || !/^(classifier|qa_outputs)\./.test(name)
  const tensors = new Map([...model.weights.tensors].filter(([name]) => isWanted(name)))
  loadPretrained({ ...model.weights, tensors }, parameters, data)
}

interface Made {
  readonly graph: Graph
  readonly inputs: Readonly<Record<string, InputData>>
  readonly scalars: Readonly<Record<string, number>>
}

/** The inputs of `batchInputs`. */
function makeBatch(lengths: readonly number[], { vocabularySize, segmentTypes }: ModelConfig, draw: Philox) {
  const rows = lengths.reduce((a, b) => a + b, 0)
  const segments = new Int32Array(rows)
  const positions = new Int32Array(rows)
  const cuSeqlens = new Int32Array(lengths.length + 1)
  lengths.forEach((n, b) => {
    const first = cuSeqlens[b]
    for (let i = 0; i < n; i++) {
      positions[first + i] = i
      segments[first + i] = i < n / 2 ? 0 : segmentTypes - 1
    }
    cuSeqlens[b + 1] = first + n
  })
  const ids = Int32Array.from({ length: rows }, () => FIRST_ID + draw.integer(vocabularySize - FIRST_ID))
  return { ids, segments, positions, cu_seqlens: cuSeqlens }
}

function pretraining(
  parameters: ParameterSet,
  config: ModelConfig,
  lengths: readonly number[],
  { recompute, precision }: WorkloadOptions,
  draw: Philox,
): Made {
  const maskedRows = pick(lengths, (n) => Math.max(1, Math.round(MASKED * n)), draw)
  const masked = maskedRows.length
  const sequences = lengths.length
  const rows = lengths.reduce((a, b) => a + b, 0)
  const model = declarePretraining(parameters, config)
  const capture = new Capture(parameters)
  const capacity = { rows, sequences, masked }
  capture.backward(pretrainingLoss(capture, model, capacity, { training: true, recompute, precision }))
  appendUpdate(capture, DEFAULT_OPTIMIZER)
  let first = 0
  return {
    graph: capture.graph,
    inputs: {
      ...optimizerInputs(parameters),
      masked_rows: maskedRows,
      masked_labels: Int32Array.from(
        maskedRows,
        () => FIRST_ID + draw.integer(config.vocabularySize - FIRST_ID),
      ),
      first_rows: Int32Array.from(lengths, (n) => {
        first += n
        return first - n
      }),
      sop_labels: Int32Array.from(lengths, () => draw.integer(2)),
    },
    scalars: { masked, mlm_scale: mlmScale(masked), sop_scale: 1 / sequences },
  }
}

/** A task's head on made-up examples; `known` are the labels of a fine-tuned model. */
function fineTuning(
  parameters: ParameterSet,
  config: ModelConfig,
  batch: ReturnType<typeof makeBatch>,
  known: readonly string[] | undefined,
  { kind, task: name = 'entities', recompute, precision }: WorkloadOptions,
  draw: Philox,
): Made {
  const task = taskNamed(name)
  const labels = known ?? task.usualLabels
  const head = task.head(labels, task.forms[0])
  const model = head.declare(parameters, config, labels.length)
  const examples = madeUp(batch, head, labels.length, draw)
  const length = Math.max(...examples.map(({ ids }) => ids.length))
  const labelled = kind !== 'predict'
  const { inputs, scalars } = collate(head, examples, length, labelled)
  const capacity = { ...scalars, length }
  if (!labelled)
    return { graph: capturePrediction(parameters, head, model, capacity, precision), inputs, scalars }
  const capture = new Capture(parameters)
  const loss = head.capture(capture, model, capacity, { training: true, labelled, recompute, precision })
  capture.backward(loss!)
  appendUpdate(capture, { ...DEFAULT_OPTIMIZER, name: 'adamw' })
  const weight = examples.reduce((n, example) => n + head.weight(example), 0)
  return {
    graph: capture.graph,
    inputs: { ...optimizerInputs(parameters), ...inputs },
    scalars: { ...scalars, loss_scale: 1 / weight },
  }
}

/** The sequences of a batch as examples of a head with K outputs: so many scored rows as it usually has, drawn targets. */
function madeUp(
  { ids, cu_seqlens: starts }: ReturnType<typeof makeBatch>,
  head: Head,
  outputs: number,
  draw: Philox,
): Example[] {
  return Array.from({ length: starts.length - 1 }, (_, item) => {
    const sequence = ids.slice(starts[item], starts[item + 1])
    const n = sequence.length
    const second = Math.ceil(n / 2)
    const all = Int32Array.from({ length: n }, (_, i) => i)
    const some = (count: number) => pick([n], () => count, draw)
    const integers = (count: number, below: number) =>
      Int32Array.from({ length: count }, () => draw.integer(below))
    if (head.name === 'TokenClassification') {
      const scored = some(Math.max(1, Math.round(FIRST_PIECES * n)))
      return { ids: sequence, second, scored, targets: integers(scored.length, outputs), item }
    }
    if (head.name === 'QuestionAnswering')
      return { ids: sequence, second, scored: all, targets: integers(2, n), item }
    const targets =
      head.problemType === 'single_label_classification'
        ? integers(1, outputs)
        : Float32Array.from({ length: outputs }, () => draw.integer(2))
    return { ids: sequence, second, scored: Int32Array.of(0), targets, item }
  })
}

/** Rows of `count(n)` places of each sequence of n, in order. */
function pick(lengths: readonly number[], count: (n: number) => number, draw: Philox): Int32Array {
  const rows: number[] = []
  let first = 0
  for (const n of lengths) {
    const places = Int32Array.from({ length: n }, (_, i) => i)
    draw.shuffle(places)
    for (const place of places.slice(0, count(n)).sort()) rows.push(first + place)
    first += n
  }
  return Int32Array.from(rows)
}
