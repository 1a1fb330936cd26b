/**
 * Fine-tuning for named entity recognition: trains, scores dev every K steps and keeps the best weights in OUT, then
 * scores test with them. OUT is a model folder from the first evaluation on; log.jsonl, predictions and scores.json
 * stand beside it. A checkpoint goes with every evaluation, from which `resume` ends in the same bits.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Device } from '../../device/device.js'
import { UsageError, UserError } from '../../error.js'
import { makeFolder, writeFileAtomic } from '../../files.js'
import { compile, memoryPlan, Runtime } from '../../graph/runtime.js'
import { architectureOf, openModel, saveModel } from '../../model/folder.js'
import { readArena } from '../../model/weights.js'
import { writePredictions } from '../../tasks/entities/predictions.js'
import type { TagScheme } from '../../tasks/entities/tag_scheme.js'
import {
  listCheckpoints,
  pruneCheckpoints,
  readArenas,
  readState,
  removeLeftovers,
  saveCheckpoint,
  type TrainingArenas,
} from '../checkpoint.js'
import { TrainingLog } from '../log.js'
import { refuseTooLarge } from '../memory.js'
import { learningRate } from '../schedule.js'
import { captureTraining, type NerPosition, type NerStep, trainTagger } from './loop.js'
import { type NerSummary, nerSummary, scoreFile, tagRows, writeTask } from './model.js'
import { captureTagging, NerTagger } from './predictor.js'
import { KIND, type NerRun } from './setup.js'

const SCORES_FILE = 'scores.json'

export interface NerEvaluation {
  readonly step: number
  readonly dev: NerSummary
  /** The best so far, and better than nothing. */
  readonly best: boolean
}

/** What a run tells while it goes on. */
export interface NerHooks {
  /** Before the first step: updates made already, native bytes of the run. */
  onStart?(step: number, bytes: number): void
  onStep?(step: NerStep, tokensPerSecond: number): void
  onEvaluation?(evaluation: NerEvaluation): void
  /** Whether the person wants to stop; asked after every step. */
  interrupted?(): boolean
}

/** The names that scripts rely on; scores are fractions in [0, 1]. */
export interface NerResult {
  task: 'ner'
  /** The score that `best_step` was chosen by. */
  metric: 'f1'
  best_step: number
  steps: number
  /** The last evaluation found no entity: training went wrong. */
  collapsed: boolean
  dev: NerSummary
  test: NerSummary
  labels: readonly string[]
  /** What the tags of the data set are in; predictions are in IOB2. A run of an earlier version does not say. */
  scheme?: TagScheme
  out: string
  seconds: number
  tokens_per_second: number
}

/** The end of a run that a person stopped; a checkpoint of that step is there. */
export class Interruption extends UserError {
  override name = 'Interruption'
  constructor(
    out: string,
    readonly step: number,
  ) {
    super(
      `interrupted after step ${step}; the same command with --resume goes on from the checkpoint in ${out}`,
    )
  }
}

interface Best {
  readonly step: number
  readonly f1: number
}

/** How a run stands in its checkpoints. */
interface NerState extends NerPosition {
  readonly settings: Record<string, unknown>
  /** Updates that the moments had seen before step 0. */
  readonly updates?: number
  readonly best?: Best
  /** The last evaluation found no entity. */
  readonly collapsed: boolean
  /** Of the whole run so far, and of its training steps alone. */
  readonly seconds: number
  readonly trainingSeconds: number
  readonly tokens: number
}

const FRESH: Omit<NerState, 'settings' | 'seconds'> = {
  step: 0,
  draw: 0,
  collapsed: false,
  trainingSeconds: 0,
  tokens: 0,
}

/** Refuses an output folder with anything in it, unless a run there is to be resumed. */
export function refuseOut(out: string, resume: boolean): void {
  if (!existsSync(out)) return
  let names: string[]
  try {
    names = readdirSync(out)
  } catch {
    throw new UsageError(`${out}: is a file, want a folder`)
  }
  if (names.length === 0 || resume) return
  const stopped = listCheckpoints(out).length > 0 ? ', or go on with it by --resume' : ''
  throw new UsageError(`${out}: is there already and not empty; remove it or name another${stopped}`)
}

/** The result of a run that has ended in that folder. */
export function finishedNer(out: string): NerResult | undefined {
  const file = join(out, SCORES_FILE)
  if (!existsSync(file)) return undefined
  // what the key was called before it had no spaces
  const text = readFileSync(file, 'utf8').replaceAll('"paper style (inferred)"', '"paper_style"')
  return JSON.parse(text) as NerResult
}

/**
 * Runs to the end and returns the scores. Throws a UserError for a loss that is not finite, for too little memory,
 * for checkpoints of other settings, and an Interruption when it was stopped.
 */
export async function finetuneNer(
  run: NerRun,
  device: Device,
  out: string,
  resume: boolean,
  hooks: NerHooks = {},
): Promise<NerResult> {
  const { parameters, data, schedule, options } = run
  const graphs = {
    ...captureTraining(parameters, run.model, run.rows, run.optimizer, {
      recompute: options.recompute,
      precision: options.precision,
    }),
    tag: captureTagging(parameters, run.model, tagRows(run.maxLength), options.precision),
  }
  refuseTooLarge(memoryPlan(parameters, compile(graphs).values()), device)
  const runtime = new Runtime(device, parameters, graphs)
  const tagger = new NerTagger(runtime, run.tokenizer, {
    labels: data.labels,
    maxLength: run.maxLength,
    rows: tagRows(run.maxLength),
  })
  makeFolder(out)
  removeLeftovers(out)

  const restored = resume ? await restore(out, run, runtime) : undefined
  const { continued } = run
  if (restored === undefined && continued) await writeArenas(runtime, continued.arenas)
  else if (restored === undefined) await runtime.writeState('parameters', run.initial)
  const settings = restored?.settings ?? settingsOf(run)
  const updates = restored ? (restored.updates ?? 0) : (continued?.updates ?? 0)
  let { best, collapsed, trainingSeconds, tokens } = restored ?? FRESH
  const began = performance.now()
  const seconds = () => (restored?.seconds ?? 0) + (performance.now() - began) / 1000
  const log = new TrainingLog(out, restored?.step ?? 0)
  const description = modelOf(run)
  const save = async (position: NerPosition) => {
    log.sync()
    const [values, moment1, moment2] = [
      await runtime.readState('parameters'),
      await runtime.readState('moment1'),
      await runtime.readState('moment2'),
    ]
    const { step, draw } = position
    const state: NerState = {
      step,
      draw,
      settings,
      updates,
      best,
      collapsed,
      seconds: seconds(),
      trainingSeconds,
      tokens,
    }
    const arenas = { parameters: values, moment1, moment2 }
    await saveCheckpoint(out, { kind: KIND, step, model: description, arenas, state })
    pruneCheckpoints(out, 1)
  }
  const evaluate = async (position: NerPosition) => {
    const { scores } = await scoreFile(tagger, data.devel, run.develWindows)
    const dev = nerSummary(scores)
    const isBest = best === undefined || best.f1 === 0 || dev.f1 > best.f1
    if (isBest) {
      best = { step: position.step, f1: dev.f1 }
      writeTask(out, run.maxLength)
      await saveModel(out, { ...description, data: await runtime.readState('parameters') })
    }
    collapsed = dev.correct === 0
    log.write({ step: position.step, dev })
    hooks.onEvaluation?.({ step: position.step, dev, best: isBest && dev.f1 > 0 })
    await save(position)
  }

  hooks.onStart?.(restored?.step ?? 0, device.bytes)
  let stopped = 0
  let isInterrupted = false
  let before = performance.now()
  const loop = {
    totalSteps: schedule.total,
    batchSize: options.batch,
    rows: run.rows,
    seed: options.seed,
    optimizer: run.optimizer,
    before: updates,
    rate: (step: number) => learningRate(schedule, step),
  }
  const start: NerPosition = restored ?? { step: 0, draw: continued?.draw ?? 0 }
  const isBoundary = (step: number) => step % run.evalEvery === 0 || step === schedule.total
  const onStep = async (step: NerStep, settled: boolean) => {
    const elapsed = (performance.now() - before) / 1000
    trainingSeconds += elapsed
    tokens += step.tokens
    const rate = step.tokens / elapsed
    log.write({
      step: step.step,
      loss: step.loss,
      accuracy: step.accuracy,
      lr: step.lr,
      grad_norm: step.gradNorm,
      tokens_per_second: Math.round(rate),
    })
    hooks.onStep?.(step, rate)
    if (isBoundary(step.step)) await evaluate(step)
    isInterrupted ||= hooks.interrupted?.() === true
    if (isInterrupted && settled && step.step < schedule.total) {
      if (!isBoundary(step.step)) await save(step)
      stopped = step.step
    }
    before = performance.now()
    return !isInterrupted
  }
  await trainTagger(runtime, run.windows, loop, start, { isBoundary, onStep })
  if (stopped) throw new Interruption(out, stopped)
  if (best === undefined) throw new Error('a run ended without an evaluation')

  const weights = await runtime.readState('parameters')
  readArena(openModel(out).weights, parameters, weights)
  await runtime.writeState('parameters', weights)
  const dev = await scoreFile(tagger, data.devel, run.develWindows)
  const test = await scoreFile(tagger, data.test, run.testWindows)
  for (const [file, { tags }] of [[data.devel, dev] as const, [data.test, test] as const])
    writePredictions(join(out, `${basename(file.path, '.tsv')}_predictions.tsv`), file.sentences, tags)
  const result: NerResult = {
    task: 'ner',
    metric: 'f1',
    best_step: best.step,
    steps: schedule.total,
    collapsed,
    dev: nerSummary(dev.scores),
    test: nerSummary(test.scores),
    labels: data.labels,
    scheme: data.scheme,
    out,
    seconds: seconds(),
    tokens_per_second: Math.round(tokens / Math.max(trainingSeconds, 1e-9)),
  }
  writeFileAtomic(join(out, SCORES_FILE), `${JSON.stringify({ ...result, settings }, null, 2)}\n`)
  pruneCheckpoints(out, 0)
  return result
}

function modelOf(run: NerRun) {
  return {
    config: run.config,
    architecture: architectureOf(run.config, 'TokenClassification'),
    labels: run.data.labels,
    parameters: run.parameters,
    vocabulary: run.vocabulary,
    vocabularyDigest: run.tokenizer.digest,
  }
}

/** All that decides the bits of a run; it has to be the same when the run is resumed. */
function settingsOf(run: NerRun): Record<string, unknown> {
  const { options, schedule, data } = run
  return {
    model: options.model ?? null,
    learning_rate: schedule.peak,
    warmup: schedule.warmup,
    total_steps: schedule.total,
    batch: options.batch,
    weight_decay: options.weightDecay,
    clip: options.clip,
    bias_correction: options.biasCorrection,
    max_length: run.maxLength,
    rows: run.rows,
    eval_every: run.evalEvery,
    dropout: run.config.dropout,
    precision: options.precision ?? 'f32',
    seed: options.seed,
    labels: data.labels,
    windows: run.windows.examples.length,
    vocabulary: run.tokenizer.digest,
  }
}

/** What is not chosen by an option of its own, and what it comes from. */
const ORIGINS: Readonly<Record<string, string>> = {
  labels: 'the data that it was started on',
  windows: 'the data that it was started on',
  vocabulary: 'the vocabulary that it was started with',
}

/** Puts the newest checkpoint on the device; undefined where a run was stopped before its first one. */
async function restore(out: string, run: NerRun, runtime: Runtime): Promise<NerState | undefined> {
  const place = listCheckpoints(out).at(-1)
  if (place === undefined) return undefined
  const state = readState(place.dir, KIND) as unknown as NerState
  // a checkpoint that does not say is one of f32
  const settings: Record<string, unknown> = { precision: 'f32', ...state.settings }
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
  return { ...state, settings }
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

async function writeArenas(runtime: Runtime, arenas: TrainingArenas): Promise<void> {
  for (const name of ['parameters', 'moment1', 'moment2'] as const)
    await runtime.writeState(name, arenas[name])
}
