/**
 * What a fine-tuning run consists of, checked before anything is written or computed: data, vocabulary, model sizes, starting
 * weights, schedule. Settings are those that someone published (--settings) or suit the model's size: the papers' (AdamW, rate
 * 1e-5, 10,000 steps of 32, 320 of warm-up) for models of published size, a higher rate over a few epochs for small ones. Needs
 * nothing of Node; setup_node.ts reads the parts.
 */
import type { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import { UsageError, UserError } from '../../error.js'
import { ParameterSet } from '../../graph/parameters.js'
import { checkConfig, type ModelConfig, preset } from '../../model/config.js'
import type { Example, Head, HeadModel } from '../../model/head.js'
import type { PretrainedModel, VocabularyContents } from '../../model/pretrained.js'
import { loadPretrained } from '../../model/weights.js'
import type { FloatType } from '../../ops/shape.js'
import type { DataSet, PublishedSettings, Split, TaskContext, TaskCore } from '../../tasks/task.js'
import type { CheckpointPlace, TrainingArenas } from '../checkpoint.js'
import { initialValues } from '../initialize.js'
import { type LossScaleState, type LossScaling, lossScaling } from '../loss_scale.js'
import { DEFAULT_OPTIMIZER, type OptimizerSettings } from '../optimizer.js'
import { checkSchedule, type Schedule } from '../schedule.js'
import { stepsPerEpoch } from './loop.js'
import { windowLength } from './model.js'

/** The kind of checkpoints of runs of a task. */
export function kindOf(task: Pick<TaskCore, 'name'>): string {
  return `finetune ${task.name}`
}

export interface FinetuneOptions {
  /** Folder of the data set, and how it is read: one of the task's forms, the fold that is the test set. */
  readonly data: string
  readonly form?: string
  readonly fold?: number
  /** Model folder to start from; without it weights are random, sized by `preset`, over the pieces of `tokenizer`. */
  readonly model?: string
  readonly tokenizer?: string
  /** A checkpoint or the folder of a run, whose weights, classifier and moments a new run goes on from. */
  readonly continueFrom?: string
  /** The checkpoint that the run is resumed from: vocabulary and sizes where neither model nor tokenizer is named. */
  readonly resumeFrom?: string
  readonly preset?: string
  /** The name of published settings; what else is given here goes before them. */
  readonly settings?: string
  readonly epochs?: number
  readonly totalSteps?: number
  /** Examples of a step. */
  readonly batch?: number
  readonly learningRate?: number
  readonly warmup?: number
  readonly weightDecay: number
  readonly clip: number
  /** Divide the moments by 1 - beta^t; the original does not. */
  readonly biasCorrection?: boolean
  readonly maxLength?: number
  readonly evalEvery?: number
  readonly dropout?: number
  readonly rows?: number
  readonly seed: number
  readonly recompute: boolean
  /** Of activations and operands of products (default f32). */
  readonly precision?: FloatType
  /** Scales the loss in another precision than f16 too, where no bit depends on it. */
  readonly lossScaling?: Partial<LossScaling>
  /** After choosing on dev train again, on train and dev together. */
  readonly retrain?: boolean
}

/** Items of a split and what they were made into. */
export interface Part {
  readonly split: Split<unknown>
  readonly examples: readonly Example[]
}

export interface FinetuneRun {
  readonly options: FinetuneOptions
  readonly task: TaskCore
  readonly head: Head
  readonly data: DataSet<unknown>
  readonly train: Part
  readonly dev: Part
  readonly test: Part
  readonly context: TaskContext & { readonly tokenizer: Tokenizer }
  readonly vocabulary: VocabularyContents
  readonly config: ModelConfig
  readonly parameters: ParameterSet
  readonly model: HeadModel
  /** The parameter arena before the first step. */
  readonly initial: Float32Array
  /** What a new run has taken over from the checkpoint of another, besides its weights. */
  readonly continued?: Continued
  /** Tensors of the model folder that have no part in this task. */
  readonly ignored: readonly string[]
  readonly rows: number
  readonly batch: number
  readonly perEpoch: number
  readonly schedule: Schedule
  readonly optimizer: OptimizerSettings
  /** There where the loss is scaled. */
  readonly lossScaling?: LossScaling
  readonly evalEvery: number
}

export interface Continued {
  readonly place: CheckpointPlace
  readonly arenas: TrainingArenas
  /** Steps that have been made, by which the order of the examples goes on. */
  readonly updates: number
  /** Updates that the moments have seen: without steps that were left out. */
  readonly age: number
  /** How its loss was scaled, where it was. */
  readonly lossScale?: LossScaleState
  /** Draws of dropout masks that have been made. */
  readonly draw: number
}

/**
 * What suits a model by its hidden size: the less it has to lose, the higher the rate and the fewer the steps. Dropout that
 * is not named is the model's own: small models are pretrained without it, but learn a few thousand examples by heart. Classes of
 * whole sequences want a lower rate: at 2e-4 MiniLM calls every pair of ChemProt and DDI negative, at 5e-5 it learns them (README).
 */
const DEFAULTS: readonly Defaults[] = [
  { hidden: 128, learningRate: 1e-3, epochs: 10, leastSteps: 400 },
  { hidden: 512, learningRate: 2e-4, sequenceRate: 5e-5, epochs: 5, leastSteps: 400, dropout: 0.1 },
  { hidden: Number.POSITIVE_INFINITY, learningRate: 1e-5, epochs: 0, leastSteps: 10_000 },
]
interface Defaults {
  readonly hidden: number
  readonly learningRate: number
  /** Of classifiers of whole sequences, where it is another. */
  readonly sequenceRate?: number
  readonly epochs: number
  readonly leastSteps: number
  readonly dropout?: number
}
function defaults({ hiddenSize }: ModelConfig): Defaults {
  return DEFAULTS.find(({ hidden }) => hiddenSize <= hidden) ?? DEFAULTS[0]
}
const BATCH = 32
/** Of AdamW where nothing else is said. */
export const DEFAULT_WEIGHT_DECAY = 0.01
/** Largest gradient norm where nothing else is said. */
export const DEFAULT_CLIP = 1
const WARMUP = 320
const EVAL_EVERY = 200

/** Where the parts of a run come from; each is asked for once what was given before has been checked. */
export interface RunSources {
  /** The pretrained model, or the sizes of one with random weights, which `--preset` names otherwise; and the vocabulary. */
  open(): {
    readonly pretrained?: PretrainedModel
    readonly sizes?: ModelConfig
    readonly tokenizer: Tokenizer
    readonly vocabulary: VocabularyContents
  }
  /** The data, in a form of the task. */
  read(form: string): DataSet<unknown>
  /** What the checkpoint of another run gives besides sizes, where there is one. */
  continued?(
    labels: readonly string[] | undefined,
    wanted: readonly string[],
    parameters: ParameterSet,
  ): Continued
}

/** Makes a run of its parts and checks it. Throws a UserError that names what cannot be. */
export function assembleRun(task: TaskCore, options: FinetuneOptions, sources: RunSources): FinetuneRun {
  const { seed } = options
  if (options.epochs !== undefined && options.totalSteps !== undefined)
    throw new UsageError('want either --epochs or --total-steps')
  const asked = formOf(task, options.form)
  const published = settingsOf(task, options.settings)
  const { pretrained, sizes, tokenizer, vocabulary } = sources.open()
  const config = configuration(options, pretrained, sizes, tokenizer.size)
  const wanted = options.maxLength ?? (published && Math.min(published.maxLength, config.maxPositions))
  const maxLength = windowLength({ config }, task, wanted)
  const rows = options.rows ?? Math.max(2048, maxLength)
  if (rows < maxLength)
    throw new UsageError(`--rows is ${rows}, but one example has up to ${maxLength} pieces`)
  const data = sources.read(asked)
  const form = data.form ?? asked
  const context = { form, labels: data.labels, tokenizer, maxLength, fitted: {} }
  const part = (split: Split<unknown>, training: boolean): Part => ({
    split,
    examples: task.examples(split.items, context, training),
  })
  const train = part(data.train, true)
  if (train.examples.length === 0) throw new UserError(`${data.train.path}: nothing in it can be trained on`)
  const batch = options.batch ?? published?.batch ?? BATCH
  const perEpoch = stepsPerEpoch(train.examples.length, batch)

  const head = task.head(data.labels, form)
  const parameters = new ParameterSet()
  const model = head.declare(parameters, config, data.labels.length)
  const continued = sources.continued?.(pretrained?.labels, data.labels, parameters)
  const initial = continued?.arenas.parameters ?? initialValues(parameters, seed)
  const schedule = scheduleOf(options, published, config, head, perEpoch)
  return {
    options,
    task,
    head,
    data,
    train,
    dev: part(data.dev, false),
    test: part(data.test, false),
    context,
    vocabulary,
    config,
    parameters,
    model,
    initial,
    continued,
    ignored: pretrained && !continued ? loadEncoder(pretrained, parameters, initial) : [],
    rows,
    batch,
    perEpoch,
    schedule,
    optimizer: {
      ...DEFAULT_OPTIMIZER,
      name: 'adamw',
      weightDecay: options.weightDecay,
      clip: options.clip,
      biasCorrection: options.biasCorrection ?? published?.biasCorrection ?? false,
    },
    ...((options.precision === 'f16' || options.lossScaling) && {
      lossScaling: lossScaling(options.lossScaling),
    }),
    evalEvery: options.evalEvery ?? Math.min(EVAL_EVERY, Math.ceil(schedule.total / 10)),
  }
}

function formOf({ name, forms }: TaskCore, wanted = forms[0]): string {
  if (!forms.includes(wanted))
    throw new UsageError(`--form is ${wanted} (want one of ${forms.join(', ')} for ${name})`)
  return wanted
}

function settingsOf({ name, settings }: TaskCore, wanted: string | undefined): PublishedSettings | undefined {
  if (wanted === undefined) return undefined
  const found = Object.entries(settings).find(([known]) => known === wanted)?.[1]
  const names = Object.keys(settings).join(', ')
  if (!found) throw new UsageError(`--settings is ${wanted} (want one of ${names} for ${name})`)
  return found
}

/** What is given goes before what was published, and that before what suits the model's size. */
function scheduleOf(
  options: FinetuneOptions,
  published: PublishedSettings | undefined,
  config: ModelConfig,
  { name }: Head,
  perEpoch: number,
): Schedule {
  const usual = defaults(config)
  const { sequenceRate = usual.learningRate } = usual
  const usualRate = name === 'SequenceClassification' ? sequenceRate : usual.learningRate
  const steps = ({ steps, epochs = 0 }: Pick<PublishedSettings, 'steps' | 'epochs'>) =>
    steps ?? epochs * perEpoch
  const usualSteps = published ? steps(published) : Math.max(usual.epochs * perEpoch, usual.leastSteps)
  const total = options.totalSteps ?? (options.epochs === undefined ? usualSteps : steps(options))
  const { warmup = Math.min(WARMUP, Math.floor(total / 10)) } = published ?? {}
  return checkSchedule({
    peak: options.learningRate ?? published?.learningRate ?? usualRate,
    warmup: options.warmup ?? (warmup < 1 ? Math.floor(warmup * total) : Math.min(warmup, total - 1)),
    total,
  })
}

/** The sizes of the pretrained model, which `--preset` may only confirm, or those of the preset. */
function configuration(
  { preset: name, dropout }: FinetuneOptions,
  pretrained: PretrainedModel | undefined,
  sizes: ModelConfig | undefined,
  vocabularySize: number,
): ModelConfig {
  const dropped = (config: ModelConfig) =>
    checkConfig({ ...config, dropout: dropout ?? defaults(config).dropout ?? config.dropout })
  if (pretrained === undefined) {
    if (sizes !== undefined) return dropped(sizes)
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
  const isHead = (name: string) => /^(classifier|qa_outputs)\./.test(name)
  const heads = [...weights.tensors.keys()].filter(isHead)
  const tensors = new Map([...weights.tensors].filter(([name]) => !isHead(name)))
  return [...loadPretrained({ ...weights, tensors }, parameters, data).ignored, ...heads]
}
