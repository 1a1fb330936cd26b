/**
 * The steps of fine-tuning a tagger: windows in a fresh order every epoch, `batchSize` of them a step, a step in as
 * many ragged micro-batches as the rows make necessary, their losses and gradients divided by the labelled words of
 * the whole step. What the next micro-batch needs is put together while the device works on this one, and queued behind
 * it (queue.ts).
 */
import { Capture } from '../../autograd/tensor.js'
import { UserError } from '../../error.js'
import type { Graph } from '../../graph/graph.js'
import type { Runtime } from '../../graph/runtime.js'
import type { EncodeOptions } from '../../model/encoder.js'
import { type TokenClassificationModel, tokenClassification } from '../../model/token_classification.js'
import type { NerExample } from '../../tasks/entities/windows.js'
import { appendUpdate, corrections, type OptimizerSettings, optimizerInputs } from '../optimizer.js'
import { Queue, queued, runAhead } from '../queue.js'
import { collate, epochOrder, pack, type TokenBatch } from './batches.js'
import { tokenCapacity } from './predictor.js'

export interface NerLoopSettings {
  readonly totalSteps: number
  /** Windows of a step. */
  readonly batchSize: number
  /** Most pieces of a micro-batch; the programs were captured with it. */
  readonly rows: number
  readonly seed: number
  readonly optimizer: OptimizerSettings
  /** Updates made before step 0, from which the order of the windows and the age of the moments go on (default 0). */
  readonly before?: number
  /** Learning rate of the update that follows `step` others. */
  readonly rate: (step: number) => number
}

/** What is trained on: windows, and the labels of their scored words. */
export interface LabelledWindows {
  readonly examples: readonly NerExample[]
  readonly labels: readonly Int32Array[]
}

/** Where a run stands: updates made, micro-batches drawn for dropout. */
export interface NerPosition {
  readonly step: number
  readonly draw: number
}

/** One update. */
export interface NerStep extends NerPosition {
  /** Mean loss of the step's labelled words. */
  readonly loss: number
  /** Share of those words whose largest logit was the label. */
  readonly accuracy: number
  readonly lr: number
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: number
  /** Pieces of the step. */
  readonly tokens: number
}

/** Captures the two training programs: `accumulate` adds gradients, `step` does so and then updates. */
export function captureTraining(
  parameters: Runtime['parameters'],
  model: TokenClassificationModel,
  rows: number,
  optimizer: OptimizerSettings,
  encoder: Omit<EncodeOptions, 'training'>,
): { accumulate: Graph; step: Graph } {
  const capture = (update: boolean) => {
    const captured = new Capture(parameters)
    const options = { ...encoder, training: true, labelled: true }
    const loss = tokenClassification(captured, model, tokenCapacity(rows), options)
    if (loss === undefined) throw new Error('a labelled program has no loss')
    captured.backward(loss)
    if (update) appendUpdate(captured, optimizer)
    return captured.graph
  }
  return { accumulate: capture(false), step: capture(true) }
}

/** Steps of one epoch over that many windows; the last one may be smaller than the others. */
export function stepsPerEpoch(windows: number, batchSize: number): number {
  return Math.ceil(windows / batchSize)
}

interface MicroBatch extends TokenBatch {
  readonly step: number
  readonly draw: number
  readonly last: boolean
  /** Labelled words of the whole step. */
  readonly stepWords: number
}

function* microBatches(
  windows: LabelledWindows,
  { totalSteps, batchSize, rows, seed, before = 0 }: NerLoopSettings,
  start: NerPosition,
): Generator<MicroBatch> {
  const { examples, labels } = windows
  const lengths = examples.map(({ ids }) => ids.length)
  const perEpoch = stepsPerEpoch(examples.length, batchSize)
  let order: Int32Array | undefined
  let { draw } = start
  for (let step = start.step; step < totalSteps; step++) {
    const within = (before + step) % perEpoch
    if (order === undefined || within === 0)
      order = epochOrder(examples.length, seed, Math.floor((before + step) / perEpoch))
    const chosen = order.subarray(within * batchSize, (within + 1) * batchSize)
    const stepWords = chosen.reduce((n, e) => n + examples[e].wordAt.length, 0)
    const runs = pack(lengths, chosen, rows)
    for (const [i, run] of runs.entries()) {
      const batch = collate(
        run.map((e) => examples[e]),
        run.map((e) => labels[e]),
      )
      yield { ...batch, step, draw: draw++, last: i === runs.length - 1, stepWords }
    }
  }
}

export interface NerLoopEvents {
  /** Whether the caller looks at the state of the device after that step, so that nothing may be queued behind it. */
  isBoundary?(step: number): boolean
  /**
   * Hears of every update; `settled` if nothing is queued behind it, so that other programs of the runtime may be run. False
   * ends the run: behind a step that is not settled another one comes, of which this hears as well.
   */
  onStep(step: NerStep, settled: boolean): boolean | Promise<boolean>
}

/**
 * Trains from `start` to the last step, one step queued behind the one that runs. Returns where the run ended.
 * Throws a UserError where a loss or a gradient norm is not finite; that update was left out then.
 */
export async function trainTagger(
  runtime: Runtime,
  windows: LabelledWindows,
  settings: NerLoopSettings,
  start: NerPosition,
  { isBoundary = () => false, onStep }: NerLoopEvents,
): Promise<NerPosition> {
  const tables = optimizerInputs(runtime.parameters)
  const batches = microBatches(windows, settings, start)
  const queue = new Queue()
  let next = batches.next()
  let position = start
  let submitted = start.step
  let goesOn = true

  /** Queues the micro-batches of one step. */
  const submit = async () => {
    if (next.done || !goesOn) return undefined
    const { step, stepWords } = next.value
    const lr = settings.rate(step)
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
          loss_scale: 1 / stepWords,
          seed: settings.seed,
          draw,
          ...(last && { lr, ...corrections(settings.optimizer, (settings.before ?? 0) + step + 1) }),
        }),
        () => ['loss_sum', 'correct', ...(last ? ['grad_norm'] : [])].map((n) => runtime.read(program, n)),
      ).then(([loss, correct, norm]) => ({
        ...{ loss: loss[0], correct: correct[0], gradNorm: norm?.[0] ?? 0 },
        tokens: scalars.rows,
      }))
      queue.add(run)
      runs.push(run)
    }
    submitted = step + 1
    const done = Promise.all(runs).then((parts): NerStep => {
      const sum = (pick: (part: (typeof parts)[number]) => number) => parts.reduce((s, p) => s + pick(p), 0)
      return {
        step: step + 1,
        draw: draw + 1,
        loss: sum((p) => p.loss) / stepWords,
        accuracy: sum((p) => p.correct) / stepWords,
        lr,
        gradNorm: parts.at(-1)!.gradNorm,
        tokens: sum((p) => p.tokens),
      }
    })
    return { done }
  }
  await runAhead<NerStep>({
    submit,
    isBoundary: () => isBoundary(submitted),
    onDone: async (done, settled) => {
      checkFinite(done)
      position = { step: done.step, draw: done.draw }
      goesOn = (await onStep(done, settled)) && goesOn
    },
  })
  return position
}

function checkFinite({ step, loss, gradNorm, lr }: NerStep): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return
  const what = Number.isFinite(loss) ? `gradient norm is ${gradNorm}` : `loss is ${loss}`
  throw new UserError(`step ${step}: the ${what} at learning rate ${lr}; a lower --learning-rate may help`)
}
