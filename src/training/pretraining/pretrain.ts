/**
 * The pretraining loop. A step draws `batch` instances, queues its micro-batches (all but the last through the program
 * `accumulate`, the last through `step`) and logs what came out; while the device runs, the next micro-batch is
 * collated or the next step drawn, and queued behind (queue.ts). Held-out evaluation, checkpoints and the end of the run
 * happen between steps, with nothing queued. What a run will do is a function of its settings and seed: a resumed run
 * continues with the same bits.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Instance } from '../../data/instances/stream.js'
import type { Device } from '../../device/device.js'
import { UserError } from '../../error.js'
import { lockFolder, makeFolder } from '../../files.js'
import { Runtime } from '../../graph/runtime.js'
import { saveModel } from '../../model/folder.js'
import { className } from '../../model/kind.js'
import { listCheckpoints, pruneCheckpoints, removeLeftovers, saveCheckpoint } from '../checkpoint.js'
import { compiledUnless } from '../compiled.js'
import { TrainingLog } from '../log.js'
import { LossScaler, type LossScaleState, scaleScalars } from '../loss_scale.js'
import { refuseTooLarge } from '../memory.js'
import { corrections, optimizerInputs } from '../optimizer.js'
import { refusePrecision } from '../precision.js'
import { Queue, runAhead } from '../queue.js'
import { learningRate } from '../schedule.js'
import { Collators, maskedCount, splitStep } from './batch.js'
import { evaluatePretraining } from './evaluate.js'
import { type Losses, type LossSums, means, mlmScale, noLosses, runLosses } from './programs.js'
import { KIND, memoryOfRun, type PretrainSetup } from './setup.js'

export interface PretrainRun {
  readonly out: string
  /** End after so many steps in all, or after so many minutes of this process, at a step boundary. */
  readonly steps?: number
  readonly minutes?: number
  readonly evalEvery: number
  readonly saveEvery: number
  /** Checkpoints to keep besides the best one. */
  readonly keep: number
  /** Aborted: finish the step, write a checkpoint, return; before the first step, at once and without one. */
  readonly signal?: AbortSignal
  readonly events?: PretrainEvents
}

export interface PretrainEvents {
  /** Memory is taken, the first step is about to be run. */
  started?(step: number, device: Device): void
  step?(line: StepLine): void
  heldOut?(step: number, losses: Losses): void
  saved?(step: number, dir: string, best: boolean): void
}

/** A line of the log. */
export interface StepLine {
  /** Updates done, this one included. */
  readonly step: number
  readonly loss: number
  readonly mlm: number
  readonly sop: number
  readonly mlm_accuracy: number
  readonly sop_accuracy: number
  readonly lr: number
  /** Global norm of the gradients before clipping. */
  readonly grad_norm: number
  /** What the loss was multiplied by, where it is, and the steps that were left out so far, their gradients not finite. */
  readonly loss_scale?: number
  readonly skipped_steps?: number
  readonly tokens_per_second: number
}

export interface PretrainResult {
  readonly step: number
  readonly last?: StepLine
  readonly heldOut?: Losses
  readonly best?: { readonly step: number; readonly loss: number }
  readonly tokensPerSecond: number
  /** Where the loss is scaled: steps that were left out. */
  readonly skipped?: number
  /** Stopped by the signal: there is a checkpoint if a step was done, but OUT is no model yet. */
  readonly interrupted: boolean
}

/** Instances of a step, cut into micro-batches; `cursor`: the stream before them. */
interface PendingStep {
  readonly cursor: object
  readonly batches: Instance[][]
  readonly masked: number
  readonly sequences: number
}

/** Runs (or continues) pretraining. Throws a UserError when a loss is not finite or memory is short. */
export async function pretrain(
  setup: PretrainSetup,
  device: Device,
  run: PretrainRun,
): Promise<PretrainResult> {
  refusePrecision(setup.settings.precision, device)
  refuseTooLarge(memoryOfRun(setup, device), device)
  const release = lockFolder(run.out)
  let runtime: Runtime | undefined
  try {
    runtime = new Runtime(device, setup.programs.parameters, setup.programs.graphs)
    return await new Pretraining(setup, runtime, run).run()
  } finally {
    runtime?.free()
    release()
  }
}

class Pretraining {
  /** Steps that are done. */
  private step = 0
  /** Steps that were queued. */
  private submitted = 0
  /** Updates that the moments had seen before step 0. */
  private updates = 0
  /** Micro-batches run so far, which is what dropout masks are drawn for. */
  private draw = 0
  private best?: { step: number; loss: number }
  private last?: StepLine
  private heldOut?: Losses
  private saved?: number
  private evaluated?: number
  private pending: PendingStep
  private tokens = 0
  private seconds = 0
  private readonly log: TrainingLog
  /** When the last step was done, or the device had nothing queued. */
  private since = 0
  private readonly queue = new Queue()
  private readonly collators: Collators
  private readonly scaler?: LossScaler
  private readonly tables: Record<string, Int32Array>
  private readonly parameters

  constructor(
    private readonly setup: PretrainSetup,
    private readonly runtime: Runtime,
    private readonly options: PretrainRun,
  ) {
    this.parameters = setup.programs.parameters
    this.collators = new Collators(setup.capacity)
    this.tables = optimizerInputs(this.parameters)
    const { lossScaling } = setup.settings
    const lossScale = setup.resumed?.state.lossScale as LossScaleState | undefined
    if (lossScaling) this.scaler = new LossScaler(lossScaling, lossScale ?? setup.continued?.lossScale)
    if (setup.resumed) this.restore(setup.resumed.place.step, setup.resumed.state)
    else if (setup.continued) {
      const { updates, draw, cursor } = setup.continued
      this.updates = updates
      this.draw = draw
      if (cursor) setup.stream.restore(cursor)
    }
    // a shard that is not whole is met before anything is written
    this.pending = this.drawStep()
    makeFolder(options.out)
    removeLeftovers(options.out)
    this.log = new TrainingLog(options.out, this.step)
  }

  private restore(step: number, state: Record<string, unknown>): void {
    const { updates, draw, cursor, best, last, heldOut } = state as {
      updates?: number
      draw: number
      cursor: object
      best?: { step: number; loss: number }
      last?: StepLine
      heldOut?: { step: number; losses: Losses }
    }
    this.step = step
    this.submitted = step
    this.saved = step
    this.updates = updates ?? 0
    this.draw = draw
    this.best = best
    this.last = last
    this.heldOut = heldOut?.losses
    this.evaluated = heldOut?.step
    this.setup.stream.restore(cursor)
  }

  async run(): Promise<PretrainResult> {
    const { options, setup } = this
    const { events, signal } = options
    await this.writeArenas()
    const end = Math.min(setup.settings.schedule.total, options.steps ?? Number.POSITIVE_INFINITY)
    const deadline = performance.now() + (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000
    events?.started?.(this.step, this.runtime.device)
    const isBoundary = (step: number) =>
      step % options.saveEvery === 0 || step % options.evalEvery === 0 || step === end
    const wantsStop = () => signal?.aborted === true
    for (const program of ['accumulate', 'step']) await compiledUnless(this.runtime, program, wantsStop)
    this.since = performance.now()
    await runAhead<StepLine>({
      submit: async () =>
        this.submitted < end && performance.now() < deadline && !wantsStop() ? this.submit() : undefined,
      isBoundary: () => isBoundary(this.submitted),
      onDone: async (line, settled) => {
        this.log.write({ ...line })
        events?.step?.(line)
        if (!settled || !isBoundary(this.step)) return
        let save = this.step % options.saveEvery === 0
        if (this.step % options.evalEvery === 0 || this.step === end) save = (await this.evaluate()) || save
        if (save) await this.save()
        this.since = performance.now()
      },
    })
    const interrupted = wantsStop() && this.step < end
    if (!interrupted && this.step > 0) await this.evaluate()
    await this.save()
    if (!interrupted) {
      const data = await this.runtime.readState('parameters')
      await saveModel(options.out, { ...this.model(), data })
    }
    await setup.stream.close()
    return {
      step: this.step,
      last: this.last,
      heldOut: this.heldOut,
      best: this.best,
      tokensPerSecond: this.seconds > 0 ? this.tokens / this.seconds : 0,
      skipped: this.scaler?.skipped,
      interrupted,
    }
  }

  private async writeArenas(): Promise<void> {
    const arenas = this.setup.arenas()
    for (const name of ['parameters', 'moment1', 'moment2'] as const)
      await this.runtime.writeState(name, arenas[name])
  }

  private drawStep(): PendingStep {
    const { stream, settings, capacity } = this.setup
    const cursor = stream.state()
    const instances = Array.from({ length: settings.batch }, () => stream.next())
    const batches = splitStep(instances, capacity)
    return { cursor, batches, masked: maskedCount(instances), sequences: instances.length }
  }

  /** Queues the pending step, and draws the next one while the device works. */
  private async submit(): Promise<{ done: Promise<StepLine> }> {
    const { runtime, pending } = this
    const step = this.submitted++
    const { schedule, optimizer, seed } = this.setup.settings
    const lr = learningRate(schedule, step)
    const scaling = this.scaler?.begin(step + 1)
    const common = {
      seed,
      lr,
      ...corrections(optimizer, this.updates + step + 1 - (scaling?.skipped ?? 0)),
      ...(scaling && scaleScalars(scaling.scale)),
      mlm_scale: mlmScale(pending.masked),
      sop_scale: 1 / pending.sequences,
    }
    const sums = noLosses()
    const runs: Promise<unknown>[] = []
    let gradNorm: Promise<Float32Array> | undefined
    for (const [i, instances] of pending.batches.entries()) {
      await this.queue.room()
      const isLast = i === pending.batches.length - 1
      const program = isLast ? 'step' : 'accumulate'
      const batch = this.collators.collate(instances)
      const tables = isLast ? this.tables : {}
      const run = runLosses(runtime, program, batch, { ...common, draw: this.draw }, tables, sums)
      this.draw = (this.draw + 1) % 2 ** 32
      if (isLast) gradNorm = runtime.read('step', 'grad_norm')
      gradNorm?.catch(() => undefined)
      this.queue.add(run)
      runs.push(run)
      // lets the device start before this thread is busy with the next batch
      await turn()
    }
    const done = Promise.all(runs).then(async () =>
      this.finish(step + 1, lr, sums, (await gradNorm!)[0], scaling?.scale),
    )
    done.catch(() => undefined)
    this.pending = this.drawStep()
    return { done }
  }

  private finish(step: number, lr: number, sums: LossSums, gradNorm: number, scale?: number): StepLine {
    const losses = means(sums)
    this.refuseNonFinite(step, losses, gradNorm)
    if (scale !== undefined) this.scaler?.report(step, scale, gradNorm, () => this.wayOut())
    const now = performance.now()
    const seconds = (now - this.since) / 1000
    this.since = now
    this.step = step
    this.tokens += sums.rows
    this.seconds += seconds
    this.last = {
      step,
      loss: losses.loss,
      mlm: losses.mlm,
      sop: losses.sop,
      mlm_accuracy: losses.mlmAccuracy,
      sop_accuracy: losses.sopAccuracy,
      lr,
      grad_norm: gradNorm,
      ...(scale !== undefined && { loss_scale: scale, skipped_steps: this.scaler?.skipped }),
      tokens_per_second: Math.round(sums.rows / seconds),
    }
    return this.last
  }

  /** With loss scaling gradients may be not finite; the losses know of no scale. */
  private refuseNonFinite(step: number, losses: Losses, gradNorm: number): void {
    const what = [
      ['the MLM loss', losses.mlm],
      [`the ${this.setup.stream.info.pairs.toUpperCase()} loss`, losses.sop],
      ['the norm of the gradients', this.scaler ? 0 : gradNorm],
    ].find(([, value]) => !Number.isFinite(value))
    if (what) throw new UserError(`step ${step}: ${what[0]} is ${what[1]}${this.wayOut()}`)
  }

  /** What a person hears at the end of a run that diverged. */
  private wayOut(): string {
    const good = listCheckpoints(this.options.out).at(-1)
    return (
      `; the last good checkpoint: ${good?.dir ?? 'none yet'} ` +
      '(a lower --learning-rate, a longer --warmup or --clip often help)'
    )
  }

  /** Evaluates on the held-out instances; true where the loss is the best so far. */
  private async evaluate(): Promise<boolean> {
    const { setup, step } = this
    if (setup.heldOut.length === 0 || this.evaluated === step) return false
    const losses = await evaluatePretraining(this.runtime, setup.capacity, setup.heldOut)
    this.heldOut = losses
    this.evaluated = step
    const { loss, mlm, sop, mlmAccuracy, sopAccuracy } = losses
    const heldout = { loss, mlm, sop, mlm_accuracy: mlmAccuracy, sop_accuracy: sopAccuracy }
    this.log.write({ step, heldout })
    this.options.events?.heldOut?.(step, losses)
    const isBest = this.best === undefined || loss < this.best.loss
    if (isBest) this.best = { step, loss }
    return isBest
  }

  private model() {
    const { settings, tokenizer } = this.setup
    return {
      config: settings.config,
      architecture: className(settings.config, 'PreTraining'),
      parameters: this.parameters,
      vocabulary: this.setup.vocabulary,
      vocabularyDigest: tokenizer.digest,
    }
  }

  private async save(): Promise<void> {
    const { runtime, setup, options, step } = this
    if (this.saved === step || step === 0) return
    this.log.sync()
    const dir = await saveCheckpoint(options.out, {
      kind: KIND,
      step,
      model: this.model(),
      arenas: {
        parameters: await runtime.readState('parameters'),
        moment1: await runtime.readState('moment1'),
        moment2: await runtime.readState('moment2'),
      },
      state: {
        settings: setup.settings,
        instances: setup.instances,
        data: setup.facts,
        updates: this.updates,
        draw: this.draw,
        lossScale: this.scaler?.state(),
        cursor: this.pending.cursor,
        best: this.best,
        last: this.last,
        heldOut: this.heldOut && { step: this.evaluated, losses: this.heldOut },
      },
    })
    this.saved = step
    pruneCheckpoints(options.out, options.keep, this.best?.step)
    options.events?.saved?.(step, dir, this.best?.step === step)
  }
}
