/**
 * Losses of the first steps of a run, ours and PyTorch's, without dropout and in f32. Nothing is left to chance then, so they
 * must be equal until rounding has grown; with dropout only the scores of many seeds would tell that both compute the same.
 */
import { rmSync } from 'node:fs'
import type { Device } from '../../src/device/device.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { Head, HeadModel } from '../../src/model/head.js'
import { train } from '../../src/training/finetuning/loop.js'
import { finetuningPrograms, type ProgramSizes } from '../../src/training/finetuning/programs.js'
import type { FinetuneRun } from '../../src/training/finetuning/setup.js'
import { learningRate } from '../../src/training/schedule.js'
import { exportRun, type PreparedRun } from './finetune_export.js'
import { withPeer } from './finetune_peer.js'
import type { Peer } from './peer.js'

/** Largest difference of a step's loss, of the loss. */
export interface Agreement {
  readonly steps: number
  readonly loss: number
}

/** In so many steps roundings of 1e-7 have hardly grown. */
const AGREEING_STEPS = 20
/**
 * A rate that is wrong by a hundredth shows as 6e-2 on BIOSSES. Where a loss falls by the half in a step, as COVID-QA's does after the
 * tenth, roundings alone are 2e-4, and 1e-6 again in the steps that follow.
 */
const TOLERANCE = 1e-3

/** Both sides' first steps of a prepared run. Throws an Error where they do not agree, a UserError without PyTorch. */
export async function agreeing(run: FinetuneRun, device: Device, folder: string): Promise<Agreement> {
  const { head, data, rows, context } = run
  const config = { ...run.config, dropout: 0, classifierDropout: 0 }
  const parameters = new ParameterSet()
  const model = head.declare(parameters, config, data.labels.length)
  const nothing = { examples: [] }
  const plain = { ...run, config, parameters, dev: nothing, test: nothing }
  const steps = Math.min(AGREEING_STEPS, run.schedule.total)
  try {
    await exportRun(folder, plain)
    // first, so that it shows at once where PyTorch is not installed
    const theirs = await withPeer({ folder }, (peer) => lossesOfPeer(peer, steps))
    const sizes = { rows, maxLength: context.maxLength }
    const { losses, runtime } = await trainHere(head, model, plain, sizes, steps, device)
    runtime.free()
    const loss = largestDifference(losses, theirs, true)
    if (!(loss <= TOLERANCE))
      throw new Error(
        `without dropout losses of the first ${steps} steps differ by up to ${loss.toExponential(1)} of them ` +
          `(want ${TOLERANCE}): ${losses.join(' ')} and ${theirs.join(' ')}`,
      )
    return { steps, loss }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The first steps of a run from its beginning, in f32. */
export async function trainHere(
  head: Head,
  model: HeadModel,
  run: PreparedRun,
  sizes: ProgramSizes,
  steps: number,
  device: Device,
): Promise<{ losses: number[]; runtime: Runtime }> {
  const { parameters, optimizer, schedule, batch, options } = run
  const programs = finetuningPrograms(parameters, head, model, sizes, optimizer, { recompute: false })
  const runtime = new Runtime(device, parameters, programs)
  await runtime.writeState('parameters', run.initial)
  const losses: number[] = []
  const settings = {
    totalSteps: steps,
    batchSize: batch,
    capacity: { rows: sizes.rows, length: sizes.maxLength },
    seed: options.seed,
    optimizer,
    rate: (step: number) => learningRate(schedule, step),
  }
  const onStep = ({ loss }: { loss: number }) => losses.push(loss) > 0
  await train(runtime, head, run.train.examples, settings, { step: 0, draw: 0 }, { onStep })
  return { losses, runtime }
}

export async function lossesOfPeer(peer: Peer, steps: number): Promise<number[]> {
  return ((await peer.ask(`train ${steps}`)) as { losses: number[] }).losses
}

/** Infinite where the lengths differ or something is no number. `relative`: to what it is held against. */
export function largestDifference(a: readonly number[], b: readonly number[], relative = false): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  return a.reduce((most, x, i) => {
    const difference = Math.abs(x - b[i]) / (relative ? Math.abs(b[i]) : 1)
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference)
  }, 0)
}
