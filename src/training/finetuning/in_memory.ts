/**
 * Fine-tuning without a folder, as a page does it: trains, scores dev every K steps and keeps the best weights in memory. Steps,
 * losses and choices are those of finetune.ts; there are no checkpoints, predictions or test scores.
 */
import type { Device } from '../../device/device.js'
import { Runtime } from '../../graph/runtime.js'
import type { Scores } from '../../tasks/task.js'
import { refusePrecision } from '../precision.js'
import { MemoryKeeper, type ModelToKeep } from './keeper.js'
import { type FinetuneHooks, Interruption } from './result.js'
import { programsOf, Session, writeStart } from './session.js'
import type { FinetuneRun } from './setup.js'

export interface MemoryResult {
  /** Updates made. */
  readonly steps: number
  /** A person stopped it; the best weights until then are what is kept. */
  readonly interrupted: boolean
  /** Of the weights that are kept. */
  readonly dev: Scores
  readonly kept: ModelToKeep
}

/** Runs to the end, or until `hooks.interrupted`. Throws a UserError for a loss that is not finite. */
export async function finetuneInMemory(
  run: FinetuneRun,
  device: Device,
  hooks: FinetuneHooks = {},
): Promise<MemoryResult> {
  refusePrecision(run.options.precision, device)
  const runtime = new Runtime(device, run.parameters, programsOf(run))
  try {
    await writeStart(run, runtime)
    const keeper = new MemoryKeeper()
    let ends = false
    const interrupted = () => !ends && (hooks.interrupted?.() ?? false)
    const session = new Session(run, runtime, keeper, undefined, { ...hooks, interrupted })
    hooks.onStart?.(0, device.bytes)
    const stopped = await session.choose().then(
      () => undefined,
      (error) => {
        if (error instanceof Interruption) return error
        throw error
      },
    )
    ends = true
    const steps = stopped?.step ?? run.schedule.total
    if (!session.hasBest) await session.evaluateDev({ step: steps, draw: 0 })
    await session.loadBest()
    const { scores } = await session.evaluate(run.dev, session.fitted)
    if (keeper.kept === undefined) throw new Error('a run ended without a model')
    return { steps, interrupted: stopped !== undefined, dev: scores, kept: keeper.kept }
  } finally {
    runtime.free()
  }
}
