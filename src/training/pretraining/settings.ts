/**
 * The settings of a pretraining run: what a person chose, completed by the defaults of the papers (base and larger) or
 * of this project (nano, mini). They are kept in every checkpoint, so that a resumed run cannot differ by accident.
 */
import { z } from 'zod'
import type { Pairs } from '../../data/instances/instances.js'
import { UsageError } from '../../error.js'
import { ACTIVATIONS, checkConfig, MODEL_TYPES, type ModelConfig, preset } from '../../model/config.js'
import type { FloatType } from '../../ops/shape.js'
import { type LossScaling, lossScaling } from '../loss_scale.js'
import { DEFAULT_OPTIMIZER, type OptimizerSettings } from '../optimizer.js'
import { checkSchedule, type Schedule } from '../schedule.js'

/** What can be chosen; what is left out has a default. */
export interface PretrainChoices {
  preset?: string
  embeddingSize?: number
  hiddenSize?: number
  layers?: number
  heads?: number
  intermediateSize?: number
  maxPositions?: number
  dropout?: number
  /** Standard deviation of random weights. */
  initializerRange?: number
  optimizer?: 'lamb' | 'adamw'
  learningRate?: number
  weightDecay?: number
  clip?: number
  biasCorrection?: boolean
  totalSteps?: number
  warmup?: number
  batch?: number
  rows?: number
  recompute?: boolean
  precision?: FloatType
  /** Scales the loss in another precision than f16 too, where no bit depends on it. */
  lossScaling?: Partial<LossScaling>
  seed?: number
}

const whole = z.number().int().nonnegative()
const settingsSchema = z.object({
  preset: z.string().optional(),
  config: z.object({
    modelType: z.enum(MODEL_TYPES).default('albert'),
    vocabularySize: whole,
    embeddingSize: whole,
    hiddenSize: whole,
    layers: whole,
    heads: whole,
    intermediateSize: whole,
    maxPositions: whole,
    segmentTypes: whole,
    gelu: z.enum(ACTIVATIONS).default('tanh'),
    dropout: z.number(),
    classifierDropout: z.number(),
    layerNormEps: z.number(),
    initializerRange: z.number(),
  }),
  optimizer: z.object({
    name: z.enum(['lamb', 'adamw']),
    beta1: z.number(),
    beta2: z.number(),
    eps: z.number(),
    weightDecay: z.number(),
    clip: z.number(),
    biasCorrection: z.boolean(),
  }),
  schedule: z.object({ peak: z.number(), warmup: whole, total: whole }),
  batch: whole,
  rows: whole,
  recompute: z.boolean(),
  // a checkpoint without it is one of f32
  precision: z.enum(['f32', 'bf16', 'f16']).default('f32'),
  lossScaling: z.object({ start: z.number(), interval: whole, min: z.number(), max: z.number() }).optional(),
  seed: whole,
})

export interface PretrainSettings {
  readonly preset?: string
  readonly config: ModelConfig
  readonly optimizer: OptimizerSettings
  readonly schedule: Schedule
  /** Instances of a step. */
  readonly batch: number
  /** Tokens of a micro-batch, at most. */
  readonly rows: number
  readonly recompute: boolean
  /** Of activations and operands of products. */
  readonly precision: FloatType
  /** There where the loss is scaled. */
  readonly lossScaling?: LossScaling
  readonly seed: number
}

interface Defaults {
  readonly batch: number
  readonly totalSteps: number
  readonly warmup: number
  readonly lamb: number
  readonly adamw: number
  /** Standard deviation of random weights where it is not the preset's. */
  readonly initializerRange?: number
}

/** Naseem et al. 2020 and 2022; batch 1024 for base, 256 for the larger ones. AdamW's rate as BERT's. */
const papers: Defaults = { batch: 256, totalSteps: 200_000, warmup: 3125, lamb: 0.00176, adamw: 1e-4 }
/** BioBERT: batch and steps of Lee et al. 2020, rate and warm-up of BERT (Devlin et al. 2019), where it starts. */
const biobert: Defaults = { ...papers, batch: 192, warmup: 10_000 }
const nano: Defaults = { batch: 16, totalSteps: 3000, warmup: 300, lamb: 0.015, adamw: 1e-3 }
/**
 * At hidden size 256, weights of 0.02 leave attention a third of the effect on the residual that it has at size 768.
 * Tried on PubMed abstracts: with 0.02 and a rate of 0.006, order stays unlearnt for 2,500 steps; with these it does not.
 */
const mini: Defaults = {
  batch: 16,
  totalSteps: 6000,
  warmup: 200,
  lamb: 0.002,
  adamw: 5e-4,
  initializerRange: 0.04,
}
const defaults: Readonly<Record<string, Defaults>> = {
  nano,
  mini,
  base: { ...papers, batch: 1024 },
  'bert-nano': nano,
  'bert-mini': mini,
}

/** What the models were published with. */
export const USUAL_OPTIMIZER = { albert: 'lamb', bert: 'adamw' } as const

/** Rates above this are LAMB's: AdamW's losses stall or explode. */
const LAMB_RATE = 0.001

const sizes = ['embeddingSize', 'hiddenSize', 'layers', 'heads', 'intermediateSize', 'maxPositions'] as const

export interface DataLimits {
  /** Pieces and masked pieces of an instance, at most. */
  readonly maxLength: number
  readonly maxPredictions: number
  readonly vocabularySize: number
}

/**
 * Completes choices. `init` is the configuration of the model that the run starts from; sizes and preset must agree
 * with it. `named` is the preset whose defaults are taken. Throws a UsageError for what cannot be.
 */
export function resolveSettings(
  choices: PretrainChoices,
  data: DataLimits,
  init?: ModelConfig,
  named = choices.preset,
): PretrainSettings {
  const config = resolveConfig(choices, data, init)
  const d = defaults[named ?? ''] ?? (config.modelType === 'bert' ? biobert : papers)
  const name = choices.optimizer ?? USUAL_OPTIMIZER[config.modelType]
  const total = choices.totalSteps ?? d.totalSteps
  const schedule = checkSchedule({
    peak: choices.learningRate ?? d[name],
    warmup: choices.warmup ?? Math.min(d.warmup, Math.floor(total / 10)),
    total,
  })
  const batch = choices.batch ?? d.batch
  const rows = choices.rows ?? Math.max(data.maxLength, Math.min(4096, batch * data.maxLength))
  if (rows < data.maxLength)
    throw new UsageError(
      `micro-batches of ${rows} rows cannot hold an instance of ${data.maxLength} pieces (want --rows ${data.maxLength} or more)`,
    )
  const precision = choices.precision ?? 'f32'
  const isScaled = precision === 'f16' || choices.lossScaling !== undefined
  // through the schema, so that a resumed run writes its keys in the same order
  return settingsSchema.parse({
    preset: named,
    config,
    optimizer: {
      ...DEFAULT_OPTIMIZER,
      name,
      weightDecay: choices.weightDecay ?? DEFAULT_OPTIMIZER.weightDecay,
      clip: choices.clip ?? DEFAULT_OPTIMIZER.clip,
      biasCorrection: choices.biasCorrection ?? DEFAULT_OPTIMIZER.biasCorrection,
    },
    schedule,
    batch,
    rows,
    recompute: choices.recompute ?? false,
    precision,
    ...(isScaled && { lossScaling: lossScaling(choices.lossScaling) }),
    seed: choices.seed ?? 42,
  })
}

function resolveConfig(choices: PretrainChoices, data: DataLimits, init?: ModelConfig): ModelConfig {
  const chosen: Partial<Record<(typeof sizes)[number], number>> = {}
  for (const name of sizes) if (choices[name] !== undefined) chosen[name] = choices[name]
  if (choices.preset === undefined && init === undefined)
    throw new UsageError('which model? give --preset, or --init with a model folder')
  const wanted =
    choices.preset === undefined ? undefined : preset(choices.preset, data.vocabularySize, chosen)
  if (init) {
    if (wanted && wanted.modelType !== init.modelType)
      throw new UsageError(
        `preset ${choices.preset} is a kind of ${wanted.modelType}, but the model to start from is a kind of ${init.modelType}`,
      )
    for (const name of sizes) {
      const want = wanted?.[name] ?? chosen[name]
      // positions are bought with the preset, but the weights decide how many there are
      const isChosen = name in chosen || (wanted !== undefined && name !== 'maxPositions')
      if (isChosen && want !== init[name])
        throw new UsageError(`${name} is to be ${want}, but the model to start from has ${init[name]}`)
    }
  }
  const { dropout, initializerRange = init ? undefined : defaults[choices.preset ?? '']?.initializerRange } =
    choices
  const config = checkConfig({
    ...(init ?? (wanted as ModelConfig)),
    ...(dropout !== undefined && { dropout }),
    ...(initializerRange !== undefined && { initializerRange }),
  })
  if (config.maxPositions < data.maxLength)
    throw new UsageError(
      `the instances have up to ${data.maxLength} pieces, the model ${config.maxPositions} positions ` +
        `(want --max-positions ${data.maxLength}, or instances of --seq-length ${config.maxPositions})`,
    )
  return config
}

/** The settings of a checkpoint's state.json. */
export function savedSettings(state: unknown, dir: string): PretrainSettings {
  const parsed = settingsSchema.safeParse(state)
  if (!parsed.success)
    throw new UsageError(`${dir}: ${parsed.error.issues[0].path.join('.')} of its settings is not readable`)
  return parsed.data
}

/** Settings as the choices that lead to them. */
function choicesOf({
  config,
  optimizer,
  schedule,
  ...settings
}: PretrainSettings): Required<Omit<PretrainChoices, 'preset' | 'lossScaling'>> & { preset?: string } {
  return {
    preset: settings.preset,
    embeddingSize: config.embeddingSize,
    hiddenSize: config.hiddenSize,
    layers: config.layers,
    heads: config.heads,
    intermediateSize: config.intermediateSize,
    maxPositions: config.maxPositions,
    dropout: config.dropout,
    initializerRange: config.initializerRange,
    optimizer: optimizer.name,
    learningRate: schedule.peak,
    weightDecay: optimizer.weightDecay,
    clip: optimizer.clip,
    biasCorrection: optimizer.biasCorrection,
    totalSteps: schedule.total,
    warmup: schedule.warmup,
    batch: settings.batch,
    rows: settings.rows,
    recompute: settings.recompute,
    precision: settings.precision,
    seed: settings.seed,
  }
}

/** The settings of the checkpoint in `dir`. Throws a UsageError where what is chosen now differs, with the ways to go on. */
export function resumeSettings(state: unknown, choices: PretrainChoices, dir: string): PretrainSettings {
  const settings = savedSettings(state, dir)
  const saved = choicesOf(settings)
  for (const name of Object.keys(saved) as (keyof typeof saved)[]) {
    const now = choices[name]
    if (now === undefined || now === saved[name]) continue
    const option = optionName(name)
    const other =
      name === 'preset' || (sizes as readonly string[]).includes(name)
        ? 'Its weights fit no other sizes: for those start a run of its own, without --resume'
        : `To take its weights and moments into a new run with another ${option}: --continue-from ${dir} and a new --out, without --resume`
    throw new UsageError(
      `${dir}: the run was started with ${name} ${saved[name] ?? 'unset'}, not ${now}; a resumed run keeps its settings. ` +
        `To go on with the same run: leave out ${option}. ${other}`,
    )
  }
  return settings
}

/**
 * Settings of a new run that goes on from the weights and moments of another: what is not chosen is as it was there, but
 * the warm-up is at most a tenth of the new schedule, and another optimizer has its own rate.
 */
export function continuedSettings(
  before: PretrainSettings,
  choices: PretrainChoices,
  data: DataLimits,
): PretrainSettings {
  const { preset: named, ...saved } = choicesOf(before)
  const chosen = Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined))
  const total = choices.totalSteps ?? saved.totalSteps
  const isSameOptimizer = (choices.optimizer ?? saved.optimizer) === saved.optimizer
  const kept: PretrainChoices = {
    ...saved,
    rows: Math.max(saved.rows, data.maxLength),
    warmup: Math.min(saved.warmup, Math.floor(total / 10)),
    learningRate: isSameOptimizer ? saved.learningRate : undefined,
  }
  // sizes are those of the weights, with which a chosen preset has to agree
  for (const name of sizes) delete kept[name]
  return resolveSettings({ ...kept, ...chosen }, data, before.config, choices.preset ?? named)
}

/** `--learning-rate` of `learningRate`. */
function optionName(choice: string): string {
  return `--${choice.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** What a person should hear about the settings before a run. */
export function warnings({ config, optimizer, schedule }: PretrainSettings, pairs: Pairs): string[] {
  const found: string[] = []
  const usual = config.modelType === 'bert' ? 'nsp' : 'sop'
  if (pairs !== usual)
    found.push(
      `the instances have pairs of ${pairs}, but ${config.modelType.toUpperCase()} is trained on ${usual} (see: instances --pairs)`,
    )
  if (optimizer.name === 'adamw' && schedule.peak > LAMB_RATE)
    found.push(
      `learning rate ${schedule.peak} is one for LAMB; with AdamW the loss often stays near 7 (try 1e-4, or --optimizer lamb)`,
    )
  return found
}
