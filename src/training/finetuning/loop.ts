/**
 * The steps of fine-tuning, whatever the task: examples in a fresh order every epoch, `batchSize` of them a step, a step in as
 * many ragged micro-batches as the rows make necessary, their losses and gradients divided by the weight of the whole step
 * (labelled words, examples). What the next micro-batch needs is put together while the device works on this one, and queued
 * behind it (queue.ts).
 */
import { Capture } from '../../autograd/tensor.js'
import { UserError } from '../../error.js'
import type { Graph } from '../../graph/graph.js'
import type { Runtime } from '../../graph/runtime.js'
import type { EncodeOptions } from '../../model/encoder.js'
import type { Example, Head, HeadCapacity, HeadModel } from '../../model/head.js'
import { type LossScaler, scaleScalars } from '../loss_scale.js'
import {
  appendBackward,
  appendUpdate,
  corrections,
  type OptimizerSettings,
  optimizerInputs,
} from '../optimizer.js'
import { Queue, queued, runAhead } from '../queue.js'
import { type Batch, collate, epochOrder, pack } from './batches.js'

export interface LoopSettings {
  readonly totalSteps: number
  /** Examples of a step. */
  readonly batchSize: number
  /** Most pieces of a micro-batch and of an example; the programs were captured with them. */
  readonly capacity: Pick<HeadCapacity, 'rows' | 'length'>
  readonly seed: number
  readonly optimizer: OptimizerSettings
  /** Updates made before step 0, from which the order of the examples and the age of the moments go on (default 0). */
  readonly before?: number
  /** Updates that the moments have seen before step 0 (default `before`): without those that were left out. */
  readonly age?: number
  /** Of programs that were captured `scaled`. */
  readonly scaler?: LossScaler
  /** Learning rate of the update that follows `step` others. */
  readonly rate: (step: number) => number
}

/** Where a run stands: updates made, micro-batches drawn for dropout. */
export interface Position {
  readonly step: number
  readonly draw: number
}

/** One update. */
export interface Step extends Position {
  /** Mean loss, of the step's labelled words or examples. */
  readonly loss: number
  /** Share of right decisions; undefined where the head takes none. */
  readonly accuracy?: number
  readonly lr: number
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: number
  /** Pieces of the step. */
  readonly tokens: number
  /** With loss scaling: the scale, and the steps that were left out so far, their gradients being not finite. */
  readonly lossScale?: number
  readonly skippedSteps?: number
}

/** In place of a read of what a program does not give. */
const NOTHING = Promise.resolve(undefined)

/** How the training programs are captured. `scaled`: their loss is (../loss_scale.ts). */
export interface ProgramOptions extends Omit<EncodeOptions, 'training'> {
  readonly scaled?: boolean
}

/** Captures the two training programs: `accumulate` adds gradients, `step` does so and then updates. */
export function captureTraining<Model extends HeadModel>(
  parameters: Runtime['parameters'],
  head: Head<Model>,
  model: Model,
  capacity: HeadCapacity,
  optimizer: OptimizerSettings,
  { scaled, ...encoder }: ProgramOptions,
): { accumulate: Graph; step: Graph } {
  const capture = (update: boolean) => {
    const captured = new Capture(parameters)
    const loss = head.capture(captured, model, capacity, { ...encoder, training: true, labelled: true })
    if (loss === undefined) throw new Error('a labelled program has no loss')
    appendBackward(captured, loss, scaled)
    if (update) appendUpdate(captured, optimizer, scaled)
    return captured.graph
  }
  return { accumulate: capture(false), step: capture(true) }
}

/** Steps of one epoch over that many examples; the last one may be smaller than the others. */
export function stepsPerEpoch(examples: number, batchSize: number): number {
  return Math.ceil(examples / batchSize)
}

interface MicroBatch extends Batch {
  readonly step: number
  readonly draw: number
  readonly last: boolean
  /** Weight and decisions of the whole step. */
  readonly stepWeight: number
  readonly stepDecisions: number
}

function* microBatches(
  head: Head,
  examples: readonly Example[],
  { totalSteps, batchSize, capacity, seed, before = 0 }: LoopSettings,
  start: Position,
): Generator<MicroBatch> {
  const lengths = examples.map(({ ids }) => ids.length)
  const perEpoch = stepsPerEpoch(examples.length, batchSize)
  let order: Int32Array | undefined
  let { draw } = start
  for (let step = start.step; step < totalSteps; step++) {
    const within = (before + step) % perEpoch
    if (order === undefined || within === 0)
      order = epochOrder(examples.length, seed, Math.floor((before + step) / perEpoch))
    const chosen = order.subarray(within * batchSize, (within + 1) * batchSize)
    const stepWeight = chosen.reduce((n, e) => n + head.weight(examples[e]), 0)
    const stepDecisions = chosen.reduce((n, e) => n + (head.decisions?.(examples[e]) ?? 0), 0)
    const runs = pack(lengths, chosen, capacity.rows)
    for (const [i, run] of runs.entries()) {
      const parts = run.map((e) => examples[e])
      const batch = collate(head, parts, capacity.length, true)
      yield { ...batch, step, draw: draw++, last: i === runs.length - 1, stepWeight, stepDecisions }
    }
  }
}

export interface LoopEvents {
  /** Whether the caller looks at the state of the device after that step, so that nothing may be queued behind it. */
  isBoundary?(step: number): boolean
  /**
   * Hears of every update; `settled` if nothing is queued behind it, so that other programs of the runtime may be run. False
   * ends the run: behind a step that is not settled another one comes, of which this hears as well.
   */
  onStep(step: Step, settled: boolean): boolean | Promise<boolean>
}

/**
 * Trains from `start` to the last step, one step queued behind the one that runs. Returns where the run ended.
 * Throws a UserError where a loss or a gradient norm is not finite, the update being left out; with loss scaling a gradient
 * norm may be that, down to the smallest scale.
 */
export async function train(
  runtime: Runtime,
  head: Head,
  examples: readonly Example[],
  settings: LoopSettings,
  start: Position,
  { isBoundary = () => false, onStep }: LoopEvents,
): Promise<Position> {
  const tables = optimizerInputs(runtime.parameters)
  const batches = microBatches(head, examples, settings, start)
  const queue = new Queue()
  let next = batches.next()
  let position = start
  let submitted = start.step
  let goesOn = true

  /** Queues the micro-batches of one step. */
  const submit = async () => {
    if (next.done || !goesOn) return undefined
    const { step, stepWeight, stepDecisions } = next.value
    const lr = settings.rate(step)
    const scaling = settings.scaler?.begin(step + 1)
    const update = {
      lr,
      ...corrections(
        settings.optimizer,
        (settings.age ?? settings.before ?? 0) + step + 1 - (scaling?.skipped ?? 0),
      ),
    }
    const runs: Promise<{ loss: number; correct: number; tokens: number; gradNorm: number }>[] = []
    let draw = 0
    for (let last = false; !last && !next.done; next = batches.next()) {
      await queue.room()
      const { inputs, scalars } = next.value
      last = next.value.last
      draw = next.value.draw
      const program = last ? 'step' : 'accumulate'
      const run = queued(
        runtime.run(program, last ? { ...inputs, ...tables } : inputs, {
          ...scalars,
          loss_scale: 1 / stepWeight,
          seed: settings.seed,
          draw,
          ...(scaling && scaleScalars(scaling.scale)),
          ...(last && update),
        }),
        () => [
          runtime.read(program, 'loss_sum'),
          last ? runtime.read(program, 'grad_norm') : NOTHING,
          head.decisions ? runtime.read(program, 'correct') : NOTHING,
        ],
      ).then(([loss, norm, correct]) => ({
        ...{ loss: loss[0], correct: correct?.[0] ?? 0, gradNorm: norm?.[0] ?? 0 },
        tokens: scalars.rows,
      }))
      queue.add(run)
      runs.push(run)
    }
    submitted = step + 1
    const done = Promise.all(runs).then((parts): Step => {
      const sum = (pick: (part: (typeof parts)[number]) => number) => parts.reduce((s, p) => s + pick(p), 0)
      return {
        step: step + 1,
        draw: draw + 1,
        loss: sum((p) => p.loss) / stepWeight,
        accuracy: head.decisions && sum((p) => p.correct) / stepDecisions,
        lr,
        gradNorm: parts.at(-1)!.gradNorm,
        tokens: sum((p) => p.tokens),
        ...(scaling && { lossScale: scaling.scale }),
      }
    })
    return { done }
  }
  await runAhead<Step>({
    submit,
    isBoundary: () => isBoundary(submitted),
    onDone: async (done, settled) => {
      const { scaler } = settings
      checkFinite(done, scaler !== undefined)
      scaler?.report(done.step, done.lossScale!, done.gradNorm, () => ADVICE)
      position = { step: done.step, draw: done.draw }
      goesOn = (await onStep({ ...done, ...(scaler && { skippedSteps: scaler.skipped }) }, settled)) && goesOn
    },
  })
  return position
}

const ADVICE = '; a lower --learning-rate may help'

/** The forward pass knows of no scale, so a loss that is not finite is one for good. */
function checkFinite({ step, loss, gradNorm, lr }: Step, scaled: boolean): void {
  if (Number.isFinite(loss) && (scaled || Number.isFinite(gradNorm))) return
  const what = Number.isFinite(loss) ? `gradient norm is ${gradNorm}` : `loss is ${loss}`
  throw new UserError(`step ${step}: the ${what} at learning rate ${lr}${ADVICE}`)
}
