/**
 * What a fine-tuning run of a tagger consists of, read and checked before anything is written or computed: data,
 * vocabulary, model sizes, starting weights, schedule. Defaults are the papers' (AdamW, rate 1e-5, 10,000 steps of 32,
 * 320 of warm-up) for models of published size, and a higher rate over a few epochs for small ones.
 */

import { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import { UsageError, UserError } from '../../error.js'
import { ParameterSet } from '../../graph/parameters.js'
import { checkConfig, type ModelConfig, preset } from '../../model/config.js'
import {
  openModel,
  type PretrainedModel,
  readVocabularyContents,
  type VocabularyContents,
} from '../../model/folder.js'
import {
  declareTokenClassification,
  type TokenClassificationModel,
} from '../../model/token_classification.js'
import { loadPretrained } from '../../model/weights.js'
import type { FloatType } from '../../ops/shape.js'
import { readNerFolder } from '../../tasks/entities/folder.js'
import { type NerExample, windowSentences } from '../../tasks/entities/windows.js'
import {
  type CheckpointPlace,
  findCheckpoint,
  readArenas,
  readState,
  type TrainingArenas,
} from '../checkpoint.js'
import { initialValues } from '../initialize.js'
import { DEFAULT_OPTIMIZER, type OptimizerSettings } from '../optimizer.js'
import { checkSchedule, type Schedule } from '../schedule.js'
import { labelIndices } from './batches.js'
import { type LabelledWindows, stepsPerEpoch } from './loop.js'
import { modelTokenizer, windowLength } from './model.js'

/** The kind of its checkpoints. */
export const KIND = 'finetune ner'

export interface NerRunOptions {
  /** Folder with train.tsv, devel.tsv or dev.tsv, test.tsv. */
  readonly data: string
  /** Model folder to start from; without it weights are random, sized by `preset`, over the pieces of `tokenizer`. */
  readonly model?: string
  readonly tokenizer?: string
  /** A checkpoint or the folder of a run, whose weights, classifier and moments a new run goes on from. */
  readonly continueFrom?: string
  /** The checkpoint that the run is resumed from: vocabulary and sizes where neither model nor tokenizer is named. */
  readonly resumeFrom?: string
  readonly preset?: string
  readonly epochs?: number
  readonly totalSteps?: number
  /** Windows of a step. */
  readonly batch: number
  readonly learningRate?: number
  readonly warmup?: number
  readonly weightDecay: number
  readonly clip: number
  /** Divide the moments by 1 - beta^t; the original does not. */
  readonly biasCorrection: boolean
  readonly maxLength?: number
  readonly evalEvery?: number
  readonly dropout?: number
  readonly rows?: number
  readonly seed: number
  readonly recompute: boolean
  /** Of activations and operands of products (default f32). */
  readonly precision?: FloatType
}

export interface NerRun {
  readonly options: NerRunOptions
  readonly data: ReturnType<typeof readNerFolder>
  readonly tokenizer: Tokenizer
  readonly vocabulary: VocabularyContents
  readonly config: ModelConfig
  readonly parameters: ParameterSet
  readonly model: TokenClassificationModel
  /** The parameter arena before the first step. */
  readonly initial: Float32Array
  /** What a new run has taken over from the checkpoint of another, besides its weights. */
  readonly continued?: Continued
  /** Tensors of the model folder that have no part in this task. */
  readonly ignored: readonly string[]
  readonly windows: LabelledWindows
  readonly develWindows: NerExample[]
  readonly testWindows: NerExample[]
  readonly maxLength: number
  readonly rows: number
  readonly perEpoch: number
  readonly schedule: Schedule
  readonly optimizer: OptimizerSettings
  readonly evalEvery: number
}

interface Continued {
  readonly place: CheckpointPlace
  readonly arenas: TrainingArenas
  /** Updates that the moments have seen, by which the order of the windows goes on too. */
  readonly updates: number
  /** Draws of dropout masks that have been made. */
  readonly draw: number
}

/**
 * What suits a model by its hidden size: the less it has to lose, the higher the rate and the fewer the steps. Dropout that
 * is not named is the model's own: small models are pretrained without it, but learn a few thousand sentences by heart.
 */
const DEFAULTS: readonly Defaults[] = [
  { hidden: 128, learningRate: 1e-3, epochs: 10, leastSteps: 400 },
  { hidden: 512, learningRate: 2e-4, epochs: 5, leastSteps: 400, dropout: 0.1 },
  { hidden: Number.POSITIVE_INFINITY, learningRate: 1e-5, epochs: 0, leastSteps: 10_000 },
]
interface Defaults {
  readonly hidden: number
  readonly learningRate: number
  readonly epochs: number
  readonly leastSteps: number
  readonly dropout?: number
}
function defaults({ hiddenSize }: ModelConfig): Defaults {
  return DEFAULTS.find(({ hidden }) => hiddenSize <= hidden) ?? DEFAULTS[0]
}
const WARMUP = 320
const EVAL_EVERY = 200

/** Reads and checks all that a run needs. Throws a UserError that names what cannot be. */
export function setUpNer(options: NerRunOptions): NerRun {
  const { tokenizer: tokenizerDir, continueFrom, resumeFrom, seed } = options
  const named = [options.model, tokenizerDir, continueFrom].filter((dir) => dir !== undefined).length
  if (named > 1 || (named === 0 && resumeFrom === undefined))
    throw new UsageError(
      'want either --model MODEL or, for random weights, --tokenizer DIR, or --continue-from CHECKPOINT',
    )
  if (options.epochs !== undefined && options.totalSteps !== undefined)
    throw new UsageError('want either --epochs or --total-steps')
  const place = continueFrom === undefined ? undefined : findCheckpoint(continueFrom)
  const modelDir = options.model ?? place?.dir ?? (named === 0 ? resumeFrom : undefined)
  const pretrained = modelDir === undefined ? undefined : openModel(modelDir)
  const tokenizer = pretrained ? modelTokenizer(pretrained) : Tokenizer.load(tokenizerDir as string)
  const config = configuration(options, pretrained, tokenizer.size)
  const maxLength = windowLength({ config }, options.maxLength)
  const rows = options.rows ?? Math.max(2048, maxLength)
  if (rows < maxLength)
    throw new UsageError(`--rows is ${rows}, but one window has up to ${maxLength} pieces`)
  const data = readNerFolder(options.data)

  const windowsOf = (sentences: { words: string[] }[]) => windowSentences(sentences, tokenizer, maxLength)
  const examples = windowsOf(data.train.sentences)
  const perEpoch = stepsPerEpoch(examples.length, options.batch)
  const usual = defaults(config)
  const usualSteps = Math.max(usual.epochs * perEpoch, usual.leastSteps)
  const total = options.totalSteps ?? (options.epochs === undefined ? usualSteps : options.epochs * perEpoch)
  const schedule = checkSchedule({
    peak: options.learningRate ?? usual.learningRate,
    warmup: options.warmup ?? Math.min(WARMUP, Math.floor(total / 10)),
    total,
  })

  const parameters = new ParameterSet()
  const model = declareTokenClassification(parameters, config, data.labels.length)
  const continued = place && continuedRun(place, pretrained?.labels, data.labels, parameters)
  const initial = continued?.arenas.parameters ?? initialValues(parameters, seed)
  return {
    options,
    data,
    tokenizer,
    vocabulary: readVocabularyContents((modelDir ?? tokenizerDir) as string),
    config,
    parameters,
    model,
    initial,
    continued,
    ignored: pretrained && !continued ? loadEncoder(pretrained, parameters, initial) : [],
    windows: { examples, labels: labelIndices(data.train.sentences, examples, data.labels) },
    develWindows: windowsOf(data.devel.sentences),
    testWindows: windowsOf(data.test.sentences),
    maxLength,
    rows,
    perEpoch,
    schedule,
    optimizer: {
      ...DEFAULT_OPTIMIZER,
      name: 'adamw',
      weightDecay: options.weightDecay,
      clip: options.clip,
      biasCorrection: options.biasCorrection,
    },
    evalEvery: options.evalEvery ?? Math.min(EVAL_EVERY, Math.ceil(total / 10)),
  }
}

/** Throws a UserError for a checkpoint of another kind of run or of other labels. */
function continuedRun(
  place: CheckpointPlace,
  labels: readonly string[] = [],
  wanted: readonly string[],
  parameters: ParameterSet,
): Continued {
  const {
    step,
    draw,
    updates = 0,
  } = readState(place.dir, KIND) as {
    step: number
    draw: number
    updates?: number
  }
  if (labels.join() !== wanted.join())
    throw new UserError(
      `${place.dir}: has the labels ${labels.join(', ')}, the data ${wanted.join(', ')}; ` +
        '--continue-from wants the same ones (--model takes the encoder alone)',
    )
  return { place, arenas: readArenas(place.dir, parameters), updates: updates + step, draw }
}

/** The sizes of the pretrained model, which `--preset` may only confirm, or those of the preset. */
function configuration(
  { preset: name, dropout }: NerRunOptions,
  pretrained: PretrainedModel | undefined,
  vocabularySize: number,
): ModelConfig {
  const dropped = (config: ModelConfig) =>
    checkConfig({ ...config, dropout: dropout ?? defaults(config).dropout ?? config.dropout })
  if (pretrained === undefined) {
    if (name === undefined) throw new UsageError('random weights want a --preset')
    return dropped(preset(name, vocabularySize))
  }
  if (name !== undefined) {
    const wanted = preset(name, vocabularySize)
    for (const size of ['modelType', 'hiddenSize', 'layers'] as const)
      if (wanted[size] !== pretrained.config[size])
        throw new UsageError(
          `${pretrained.dir} is not of preset ${name}: its ${size} is ${pretrained.config[size]}, not ${wanted[size]}`,
        )
  }
  return dropped(pretrained.config)
}

/** Fills the encoder from pretrained weights; heads, a classifier among them, have no part in a new task. */
function loadEncoder(
  { weights }: PretrainedModel,
  parameters: ParameterSet,
  data: Float32Array,
): readonly string[] {
  const isHead = (name: string) => name.startsWith('classifier.')
  const heads = [...weights.tensors.keys()].filter(isHead)
  const tensors = new Map([...weights.tensors].filter(([name]) => !isHead(name)))
  return [...loadPretrained({ ...weights, tensors }, parameters, data).ignored, ...heads]
}
