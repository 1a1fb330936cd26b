/** How a fine-tuning run stands in its checkpoints: state beside the arenas, and the settings that decide the bits of a run. */
import type { Runtime } from '../../graph/runtime.js'
import type { Fitted, Scores, Tally } from '../../tasks/task.js'
import type { TrainingArenas } from '../checkpoint.js'
import type { LossScaleState } from '../loss_scale.js'
import type { Position } from './loop.js'
import type { FinetuneRun } from './setup.js'

export interface Best {
  readonly step: number
  /** The task's metric on dev. */
  readonly score: number
  /** What was learnt from dev beside those weights. */
  readonly fitted: Fitted
}

/** The metric by which weights are chosen; a correlation with a constant is none, and less than any other. */
export function choiceScore(metric: string, scores: Scores): number {
  const found = scores[metric]
  return typeof found === 'number' ? found : -1
}

/** Whether weights of that score are to be kept. While nothing has been learnt later ones are as good as earlier ones. */
export function isBetter(score: number, best: Pick<Best, 'score'> | undefined): boolean {
  return best === undefined || score > best.score || (score === best.score && score <= 0)
}

/** What dev said of the chosen weights, kept while others are trained on train and dev. */
export interface Chosen {
  readonly dev: Scores
  readonly tally: readonly Tally[]
  /** Steps that were left out until then, where the loss is scaled. */
  readonly skipped?: number
}

/** `step` counts the updates of both phases; those of the second follow the last of the first. */
export interface RunState extends Position {
  readonly settings: Record<string, unknown>
  /** Steps that had been made before step 0, by another run. */
  readonly updates?: number
  /** Updates that the moments had seen before step 0, where they are fewer. */
  readonly age?: number
  /** Where the loss is scaled. */
  readonly lossScale?: LossScaleState
  readonly best?: Best
  /** There once weights were chosen and training on train and dev began. */
  readonly chosen?: Chosen
  /** Dev is to be scored first: a person stopped the scoring that belongs to this step. */
  readonly unscored?: boolean
  /** What is wrong with the last evaluation. */
  readonly collapsed: string | null
  /** Of the whole run so far, and of its training steps alone. */
  readonly seconds: number
  readonly trainingSeconds: number
  readonly tokens: number
}

export const FRESH: Omit<RunState, 'settings' | 'seconds'> = {
  step: 0,
  draw: 0,
  collapsed: null,
  trainingSeconds: 0,
  tokens: 0,
}

/** All that decides the bits of a run; it has to be the same when the run is resumed. */
export function settingsOf(run: FinetuneRun): Record<string, unknown> {
  const { options, schedule, data, context, optimizer } = run
  return {
    model: options.model ?? null,
    form: context.form,
    fold: options.fold ?? null,
    learning_rate: schedule.peak,
    warmup: schedule.warmup,
    total_steps: schedule.total,
    batch: run.batch,
    weight_decay: optimizer.weightDecay,
    clip: optimizer.clip,
    bias_correction: optimizer.biasCorrection,
    max_length: context.maxLength,
    rows: run.rows,
    eval_every: run.evalEvery,
    dropout: run.config.dropout,
    precision: options.precision ?? 'f32',
    ...(run.lossScaling && { loss_scaling: run.lossScaling }),
    retrain: options.retrain ?? false,
    seed: options.seed,
    labels: data.labels,
    examples: run.train.examples.length,
    vocabulary: context.tokenizer.digest,
  }
}

export async function writeArenas(runtime: Runtime, arenas: TrainingArenas): Promise<void> {
  for (const name of ['parameters', 'moment1', 'moment2'] as const)
    await runtime.writeState(name, arenas[name])
}

export async function readRuntimeArenas(runtime: Runtime): Promise<TrainingArenas> {
  return {
    parameters: await runtime.readState('parameters'),
    moment1: await runtime.readState('moment1'),
    moment2: await runtime.readState('moment2'),
  }
}
