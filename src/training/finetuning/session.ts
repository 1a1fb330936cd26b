/**
 * One fine-tuning run under way: its phases, evaluations and checkpoints. finetune.ts puts them in order, in_memory.ts those of a
 * run without a folder. Needs nothing of Node.
 */
import type { Graph } from '../../graph/graph.js'
import type { Runtime } from '../../graph/runtime.js'
import { className } from '../../model/kind.js'
import type { Scores, Tally } from '../../tasks/task.js'
import { compiledUnless } from '../compiled.js'
import { LossScaler, type LossScaleState } from '../loss_scale.js'
import { learningRate, type Schedule } from '../schedule.js'
import type { RunKeeper } from './keeper.js'
import { type LoopEvents, type Position, type Step, stepsPerEpoch, train } from './loop.js'
import { answersOf, type Evaluation } from './model.js'
import { PREDICT_PROGRAM, Predictor } from './predictor.js'
import { finetuningPrograms } from './programs.js'
import { type FinetuneHooks, type FinetuneResult, Interruption } from './result.js'
import {
  type Best,
  type Chosen,
  choiceScore,
  FRESH,
  isBetter,
  type RunState,
  readRuntimeArenas,
  settingsOf,
  writeArenas,
} from './run_state.js'
import { type FinetuneRun, kindOf, type Part } from './setup.js'

/** The programs of a run. */
export function programsOf(run: FinetuneRun): Readonly<Record<string, Graph>> {
  const { parameters, head, model, context, optimizer, lossScaling } = run
  const { recompute, precision } = run.options
  const sizes = { rows: run.rows, maxLength: context.maxLength }
  const options = { recompute, precision, scaled: lossScaling !== undefined }
  return finetuningPrograms(parameters, head, model, sizes, optimizer, options)
}

/** Weights and moments before the first step. */
export async function writeStart(
  { parameters, initial, continued }: FinetuneRun,
  runtime: Runtime,
): Promise<void> {
  const zeros = () => new Float32Array(parameters.arenaElements)
  await writeArenas(runtime, continued?.arenas ?? { parameters: initial, moment1: zeros(), moment2: zeros() })
}

/** Thrown out of a scoring for whose end a person does not want to wait. */
class ScoringStopped extends Error {}

/** One run under way. */
export class Session {
  readonly settings: Record<string, unknown>
  chosen?: Chosen
  private best?: Best
  private collapsed: string | null
  private trainingSeconds: number
  private tokens: number
  private readonly updates: number
  private readonly age: number
  private scaler?: LossScaler
  private readonly start: Position
  private readonly isUnscored: boolean
  private readonly began = performance.now()
  private readonly secondsBefore: number
  private readonly predictor: Predictor
  private before = performance.now()

  constructor(
    private readonly run: FinetuneRun,
    private readonly runtime: Runtime,
    private readonly keeper: RunKeeper,
    restored: RunState | undefined,
    private readonly hooks: FinetuneHooks,
  ) {
    const { continued } = run
    this.settings = restored?.settings ?? settingsOf(run)
    this.updates = restored ? (restored.updates ?? 0) : (continued?.updates ?? 0)
    this.age = (restored ? restored.age : continued?.age) ?? this.updates
    this.scaler = this.scalerFrom(restored ? restored.lossScale : continued?.lossScale)
    this.start = restored ?? { step: 0, draw: continued?.draw ?? 0 }
    this.isUnscored = restored?.unscored ?? false
    this.secondsBefore = restored?.seconds ?? 0
    const { best, chosen, collapsed, trainingSeconds, tokens } = restored ?? FRESH
    Object.assign(this, { best, chosen })
    this.collapsed = collapsed
    this.trainingSeconds = trainingSeconds
    this.tokens = tokens
    this.predictor = new Predictor(runtime, run.head, run.context.maxLength)
  }

  /** Steps that were left out so far, of both phases; undefined where the loss is not scaled. */
  get skipped(): number | undefined {
    return this.scaler && (this.chosen?.skipped ?? 0) + this.scaler.skipped
  }

  private scalerFrom(state: LossScaleState | undefined): LossScaler | undefined {
    const { lossScaling } = this.run
    return lossScaling && new LossScaler(lossScaling, state)
  }

  /** Whether dev has been scored, so that there are best weights. */
  get hasBest(): boolean {
    return this.best !== undefined
  }

  get fitted() {
    return this.chosenBest.fitted
  }

  /** Trains on the training part and keeps the weights that are best on dev. */
  async choose(): Promise<void> {
    const { schedule, evalEvery } = this.run
    const isBoundary = (step: number) => step % evalEvery === 0 || step === schedule.total
    if (this.isUnscored) await this.evaluateDev(this.start)
    await this.steps(this.run.train.examples, schedule, schedule.total, 0, this.start, {
      isBoundary,
      onBoundary: (position) => this.evaluateDev(position),
    })
    if (this.best === undefined) throw new Error('a run ended without an evaluation')
  }

  /** Puts the best weights back on the device. */
  async loadBest(): Promise<void> {
    const weights = await this.runtime.readState('parameters')
    this.keeper.readWeights(this.run.parameters, weights)
    await this.runtime.writeState('parameters', weights)
  }

  /** The start of the second phase: the first weights again, and a checkpoint that says so before the best ones go. */
  async beginRetraining(): Promise<void> {
    await writeStart(this.run, this.runtime)
    if (this.chosen) this.chosen = { ...this.chosen, skipped: this.skipped }
    this.scaler = this.scalerFrom(this.run.continued?.lossScale)
    await this.save({ step: this.run.schedule.total, draw: this.run.continued?.draw ?? 0 })
  }

  /** Trains on train and dev for as many epochs as were best, then keeps those weights. */
  async retrain(): Promise<void> {
    const { run } = this
    const { schedule, task, data, context, batch, evalEvery } = run
    const first = schedule.total
    const examples = [...run.train.examples, ...task.examples(data.dev.items, context, true)]
    const more = stepsPerEpoch(examples.length, batch) / run.perEpoch
    const scaled = (steps: number) => Math.max(1, Math.round(steps * more))
    const steps = scaled(this.chosenBest.step)
    const longer = { ...schedule, total: scaled(first), warmup: Math.min(scaled(schedule.warmup), steps) }
    this.hooks.onRetrain?.(steps)
    const resumed = this.start.step > first
    const start = resumed
      ? { step: this.start.step - first, draw: this.start.draw }
      : { step: 0, draw: run.continued?.draw ?? 0 }
    await this.steps(examples, longer, steps, first, start, {
      isBoundary: (step) => step % evalEvery === 0 && step < steps,
      onBoundary: (position) => this.save(position),
    })
    await this.saveModel()
  }

  async evaluate({ split, examples }: Part, fitted: Best['fitted']): Promise<Evaluation> {
    const { task, context, schedule } = this.run
    const logits = await this.logits(examples).catch((error) => {
      // the last checkpoint stands in front of this scoring
      throw error instanceof ScoringStopped ? new Interruption(this.keeper.name, schedule.total) : error
    })
    const answers = answersOf(task, split.items, examples, logits, { ...context, fitted })
    return { logits, answers, scores: task.score(split.items, answers, context.labels) }
  }

  /** Throws ScoringStopped where a person wants to stop before the last batch. */
  private async logits(examples: Part['examples']): Promise<Float32Array[]> {
    if (!(await this.compiled(PREDICT_PROGRAM))) throw new ScoringStopped()
    let done = 0
    return this.predictor.logits(examples, (more) => {
      done += more
      this.hooks.onScoring?.(done, examples.length)
      if (done < examples.length && this.hooks.interrupted?.()) throw new ScoringStopped()
    })
  }

  /** Waits for the kernels of programs; false where a person wants to stop before they are there. */
  private async compiled(...programs: string[]): Promise<boolean> {
    const wantsStop = () => this.hooks.interrupted?.() === true
    for (const program of programs)
      if (!(await compiledUnless(this.runtime, program, wantsStop))) return false
    return true
  }

  tally({ split }: Part, { answers }: Evaluation): Tally[] {
    return this.run.task.tally(split.items, answers, this.run.context.labels)
  }

  writePredictions(name: string, { split }: Part, { answers }: Evaluation): void {
    this.keeper.writePredictions(name, this.run.task.predictions(split.items, answers, this.run.context))
  }

  result(test: Scores): FinetuneResult {
    const { task, data, schedule, context } = this.run
    return {
      task: task.name,
      metric: task.metric,
      best_step: this.chosenBest.step,
      steps: schedule.total,
      collapsed: this.collapsed,
      dev: this.chosen?.dev ?? {},
      test,
      labels: data.labels,
      form: context.form,
      facts: data.facts,
      out: this.keeper.name,
      seconds: this.seconds,
      tokens_per_second: Math.round(this.tokens / Math.max(this.trainingSeconds, 1e-9)),
      ...(this.skipped !== undefined && { skipped_steps: this.skipped }),
    }
  }

  private get chosenBest(): Best {
    if (this.best === undefined) throw new Error('no weights have been chosen yet')
    return this.best
  }

  private get seconds(): number {
    return this.secondsBefore + (performance.now() - this.began) / 1000
  }

  /** Steps up to `last` with a checkpoint where the person stops; `first` updates of an earlier phase count before them. */
  private async steps(
    examples: Part['examples'],
    schedule: Schedule,
    last: number,
    first: number,
    start: Position,
    {
      isBoundary,
      onBoundary,
    }: { isBoundary(step: number): boolean; onBoundary(at: Position): Promise<void> },
  ): Promise<void> {
    const { run, updates, age, scaler } = this
    let stopped = 0
    let isInterrupted = false
    // what has been done so far is in a checkpoint
    if (!(await this.compiled('accumulate', 'step')))
      throw new Interruption(this.keeper.name, first + start.step)
    this.before = performance.now()
    const settings = {
      totalSteps: last,
      batchSize: run.batch,
      capacity: { rows: run.rows, length: run.context.maxLength },
      seed: run.options.seed,
      optimizer: run.optimizer,
      before: updates,
      age,
      scaler,
      rate: (step: number) => learningRate(schedule, step),
    }
    const events: LoopEvents = {
      isBoundary,
      onStep: async (step, settled) => {
        const overall = { ...step, step: first + step.step }
        this.note(overall)
        if (isBoundary(step.step)) await onBoundary(overall)
        await this.hooks.between?.(overall.step)
        isInterrupted ||= this.hooks.interrupted?.() === true
        if (isInterrupted && settled && step.step < last) {
          if (!isBoundary(step.step)) await this.save(overall)
          stopped = overall.step
        }
        this.before = performance.now()
        return !isInterrupted
      },
    }
    await train(this.runtime, run.head, examples, settings, start, events)
    if (stopped) throw new Interruption(this.keeper.name, stopped)
  }

  private note(step: Step): void {
    const elapsed = (performance.now() - this.before) / 1000
    this.trainingSeconds += elapsed
    this.tokens += step.tokens
    const rate = step.tokens / elapsed
    this.keeper.log({
      step: step.step,
      loss: step.loss,
      ...(step.accuracy !== undefined && { accuracy: step.accuracy }),
      lr: step.lr,
      grad_norm: step.gradNorm,
      ...(step.lossScale !== undefined && { loss_scale: step.lossScale, skipped_steps: this.skipped }),
      tokens_per_second: Math.round(rate),
    })
    this.hooks.onStep?.(step, rate)
  }

  /** Scores dev and keeps the weights if they are the best so far. */
  async evaluateDev(position: Position): Promise<void> {
    const { task, dev, context } = this.run
    const { items } = dev.split
    const logits = await this.logits(dev.examples).catch(async (error) => {
      if (!(error instanceof ScoringStopped)) throw error
      await this.save(position, true)
      throw new Interruption(this.keeper.name, position.step)
    })
    const fitted = task.fit?.(items, dev.examples, logits, context) ?? {}
    const answers = answersOf(task, items, dev.examples, logits, { ...context, fitted })
    const scores = task.score(items, answers, context.labels)
    const score = choiceScore(task.metric, scores)
    const isBest = isBetter(score, this.best)
    if (isBest) {
      this.best = { step: position.step, score, fitted }
      await this.saveModel()
    }
    this.collapsed = task.collapsed(scores) ?? null
    this.keeper.log({ step: position.step, dev: scores })
    this.hooks.onEvaluation?.({ step: position.step, dev: scores, best: isBest && score > 0 })
    await this.save(position)
  }

  /** Keeps the weights on the device as the model of the run. */
  private async saveModel(): Promise<void> {
    const { form, maxLength } = this.run.context
    await this.keeper.keepModel({
      task: this.run.task,
      record: { form, maxLength, fitted: this.fitted },
      model: { ...this.description, data: await this.runtime.readState('parameters') },
    })
  }

  private async save({ step, draw }: Position, unscored = false): Promise<void> {
    if (this.keeper.checkpoint === undefined) return
    const { settings, updates, age, best, chosen, collapsed, seconds, trainingSeconds, tokens } = this
    const state: RunState = {
      ...{ step, draw, settings, updates, ...(age !== updates && { age }) },
      ...{ lossScale: this.scaler?.state(), best, chosen, collapsed },
      ...{ seconds, trainingSeconds, tokens },
      ...(unscored && { unscored }),
    }
    const arenas = await readRuntimeArenas(this.runtime)
    const kind = kindOf(this.run.task)
    await this.keeper.checkpoint({ kind, step, model: this.description, arenas, state })
  }

  private get description() {
    const { config, head, data, parameters, vocabulary, context } = this.run
    return {
      config,
      architecture: className(config, head.name),
      problemType: head.problemType,
      labels: data.labels,
      parameters,
      vocabulary,
      vocabularyDigest: context.tokenizer.digest,
    }
  }
}
