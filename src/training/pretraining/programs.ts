/**
 * The three programs of pretraining over one set of parameters: `accumulate` adds the gradients of a micro-batch,
 * `step` does so and then updates, `evaluate` only computes losses. They share one activation arena.
 */
import { Capture } from '../../autograd/tensor.js'
import type { Graph } from '../../graph/graph.js'
import { ParameterSet } from '../../graph/parameters.js'
import type { InputData, Runtime } from '../../graph/runtime.js'
import type { ModelConfig } from '../../model/config.js'
import type { EncodeOptions } from '../../model/encoder.js'
import { declarePretraining, type PretrainingCapacity, pretrainingLoss } from '../../model/pretraining.js'
import { appendBackward, appendUpdate, type OptimizerSettings } from '../optimizer.js'
import { queued } from '../queue.js'
import type { MicroBatch } from './batch.js'

export interface PretrainingPrograms {
  readonly parameters: ParameterSet
  readonly graphs: { readonly step: Graph; readonly accumulate: Graph; readonly evaluate: Graph }
}

/** How the training programs are captured. `scaled`: their loss is (loss_scale.ts). */
export interface ProgramOptions extends Omit<EncodeOptions, 'training'> {
  readonly scaled?: boolean
}

export function pretrainingPrograms(
  config: ModelConfig,
  capacity: PretrainingCapacity,
  optimizer: OptimizerSettings,
  { recompute = false, precision, scaled }: ProgramOptions = {},
): PretrainingPrograms {
  const parameters = new ParameterSet()
  const model = declarePretraining(parameters, config)
  const capture = (training: boolean, update: boolean): Graph => {
    const captured = new Capture(parameters)
    const options = { training, recompute: training && recompute, precision }
    const loss = pretrainingLoss(captured, model, capacity, options)
    if (training) appendBackward(captured, loss, scaled)
    if (update) appendUpdate(captured, optimizer, scaled)
    return captured.graph
  }
  return {
    parameters,
    graphs: { step: capture(true, true), accumulate: capture(true, false), evaluate: capture(false, false) },
  }
}

/** Sums over the examples of one or more micro-batches. */
export interface LossSums {
  mlm: number
  mlmCorrect: number
  masked: number
  sop: number
  sopCorrect: number
  sequences: number
  rows: number
}

export function noLosses(): LossSums {
  return { mlm: 0, mlmCorrect: 0, masked: 0, sop: 0, sopCorrect: 0, sequences: 0, rows: 0 }
}

/** Queues a run for `batch`, and adds what it gave once that is known. The batch must stay as it is until then. */
export async function runLosses(
  runtime: Runtime,
  program: keyof PretrainingPrograms['graphs'],
  batch: MicroBatch,
  scalars: Readonly<Record<string, number>>,
  tables: Readonly<Record<string, InputData>>,
  sums: LossSums,
): Promise<void> {
  const { inputs, rows, sequences, masked } = batch
  const names = ['mlm_loss', 'mlm_correct', 'sop_loss', 'sop_correct']
  const [mlm, mlmCorrect, sop, sopCorrect] = await queued(
    runtime.run(program, { ...inputs, ...tables }, { ...scalars, rows, sequences, masked }),
    () => names.map((n) => runtime.read(program, n)),
  )
  sums.mlm += mlm[0]
  sums.mlmCorrect += mlmCorrect[0]
  sums.masked += masked
  sums.sop += sop[0]
  sums.sopCorrect += sopCorrect[0]
  sums.sequences += sequences
  sums.rows += rows
}

/** Means of a step or of a held-out set. `loss` is what is minimised. */
export interface Losses {
  readonly loss: number
  readonly mlm: number
  readonly sop: number
  readonly mlmAccuracy: number
  readonly sopAccuracy: number
}

/** sum(MLM) / (masked + 1e-5) + mean(SOP), as the original's loss. */
export function means(sums: LossSums): Losses {
  const mlm = sums.mlm * mlmScale(sums.masked)
  const sop = sums.sop / sums.sequences
  return {
    loss: mlm + sop,
    mlm,
    sop,
    mlmAccuracy: sums.mlmCorrect / Math.max(1, sums.masked),
    sopAccuracy: sums.sopCorrect / sums.sequences,
  }
}

/** What the sum of the MLM losses of a step is multiplied by. */
export function mlmScale(masked: number): number {
  return 1 / (masked + 1e-5)
}
