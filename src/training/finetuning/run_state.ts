/**
 * How a fine-tuning run stands in its checkpoints, and how it is taken up again: state beside the arenas, and the settings that
 * decide the bits of a run, which have to be the same.
 */
import { UserError } from '../../error.js'
import type { Runtime } from '../../graph/runtime.js'
import type { Fitted, Scores, Tally } from '../../tasks/task.js'
import { listCheckpoints, readArenas, readState, type TrainingArenas } from '../checkpoint.js'
import type { Position } from './loop.js'
import { type FinetuneRun, kindOf } from './setup.js'

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
}

/** `step` counts the updates of both phases; those of the second follow the last of the first. */
export interface RunState extends Position {
  readonly settings: Record<string, unknown>
  /** Updates that the moments had seen before step 0. */
  readonly updates?: number
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
    retrain: options.retrain ?? false,
    seed: options.seed,
    labels: data.labels,
    examples: run.train.examples.length,
    vocabulary: context.tokenizer.digest,
  }
}

/** What is not chosen by an option of its own, and what it comes from. */
const ORIGINS: Readonly<Record<string, string>> = {
  labels: 'the data that it was started on',
  examples: 'the data that it was started on',
  vocabulary: 'the vocabulary that it was started with',
}

/** Puts the newest checkpoint on the device; undefined where a run was stopped before its first one. */
export async function restore(
  out: string,
  run: FinetuneRun,
  runtime: Runtime,
): Promise<RunState | undefined> {
  const place = listCheckpoints(out).at(-1)
  if (place === undefined) return undefined
  const state = readState(place.dir, kindOf(run.task)) as unknown as RunState
  const { settings } = state
  const { model, tokenizer, continueFrom } = run.options
  for (const [name, value] of Object.entries(settingsOf(run))) {
    // without either option vocabulary and sizes are those of the checkpoint
    if (name === 'model' && (model ?? tokenizer ?? continueFrom) === undefined) continue
    const before = JSON.stringify(settings[name])
    const now = JSON.stringify(value)
    if (before === undefined || before === now) continue
    throw new UserError(
      `${place.dir}: the run had ${name} ${before}, and now has ${now}; --resume changes nothing. ` +
        waysOn(place.dir, name, settings[name]),
    )
  }
  await writeArenas(runtime, readArenas(place.dir, run.parameters))
  return state
}

/** How a person goes on whose choice of `name` is not the `saved` one: with the same run, or with a new one. */
function waysOn(dir: string, name: string, saved: unknown): string {
  const option = `--${name.replaceAll('_', '-')}`
  const isFlag = typeof saved === 'boolean'
  const chosen = isFlag ? option : `${option} ${saved}`
  const same = ORIGINS[name] ?? (saved === null || saved === false ? `leave out ${option}` : chosen)
  const other = ['model', 'labels', 'vocabulary'].includes(name)
    ? 'For another one start a run of its own, without --resume'
    : `To take its weights and moments into a new run with the other: --continue-from ${dir} and a new --out, without --resume`
  return `To go on with the same run: ${same}. ${other}`
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
