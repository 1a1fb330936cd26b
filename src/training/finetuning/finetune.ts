/**
 * Fine-tuning for any task: trains, scores dev every K steps and keeps the best weights in OUT, trains again on train and dev if
 * that is wanted, then scores test. OUT is a model folder from the first evaluation on; log.jsonl, predictions, units.json and
 * scores.json stand beside. A checkpoint goes with every evaluation, from which `resume` ends in the same bits.
 */
import { join } from 'node:path'
import type { Device } from '../../device/device.js'
import { lockFolder, writeFileAtomic } from '../../files.js'
import { memoryOn, Runtime } from '../../graph/runtime.js'
import { pruneCheckpoints, removeLeftovers } from '../checkpoint.js'
import { refuseTooLarge } from '../memory.js'
import { refusePrecision } from '../precision.js'
import { OutFolder } from './out_folder_node.js'
import { restore } from './restore_node.js'
import type { FinetuneHooks, FinetuneResult } from './result.js'
import { SCORES_FILE, UNITS_FILE } from './result_node.js'
import { programsOf, Session, writeStart } from './session.js'
import type { FinetuneRun } from './setup.js'

/**
 * Runs to the end and returns the scores. Throws a UserError for a loss that is not finite, for too little memory,
 * for checkpoints of other settings and a folder that another process uses, and an Interruption when it was stopped.
 */
export async function finetune(
  run: FinetuneRun,
  device: Device,
  out: string,
  resume: boolean,
  hooks: FinetuneHooks = {},
): Promise<FinetuneResult> {
  refusePrecision(run.options.precision, device)
  const release = lockFolder(out)
  try {
    const runtime = openRuntime(run, device)
    try {
      return await runPhases(run, runtime, out, resume, hooks)
    } finally {
      runtime.free()
    }
  } finally {
    release()
  }
}

async function runPhases(
  run: FinetuneRun,
  runtime: Runtime,
  out: string,
  resume: boolean,
  hooks: FinetuneHooks,
): Promise<FinetuneResult> {
  const { parameters, options, task } = run
  removeLeftovers(out)
  const restored = resume ? await restore(out, run, runtime) : undefined
  if (restored === undefined) await writeStart(run, runtime)
  const one = new Session(run, runtime, new OutFolder(out, restored?.step ?? 0), restored, hooks)
  hooks.onStart?.(restored?.step ?? 0, runtime.device.bytes)
  if (one.chosen === undefined) {
    await one.choose()
    await one.loadBest()
    const dev = await one.evaluate(run.dev, one.fitted)
    one.writePredictions('dev', run.dev, dev)
    one.chosen = { dev: dev.scores, tally: one.tally(run.dev, dev) }
    if (options.retrain) await one.beginRetraining()
  }
  if (options.retrain) await one.retrain()
  const test = await one.evaluate(run.test, one.fitted)
  one.writePredictions('test', run.test, test)
  const units = { metric: task.metric, dev: one.chosen.tally, test: one.tally(run.test, test) }
  writeFileAtomic(join(out, UNITS_FILE), `${JSON.stringify(units)}\n`)
  const result = one.result(test.scores)
  const { settings } = one
  writeFileAtomic(
    join(out, SCORES_FILE),
    `${JSON.stringify({ ...result, parameters: parameters.count, settings }, null, 2)}\n`,
  )
  pruneCheckpoints(out, 0)
  return result
}

function openRuntime(run: FinetuneRun, device: Device): Runtime {
  const { parameters } = run
  const graphs = programsOf(run)
  refuseTooLarge(memoryOn(device, parameters, graphs), device)
  return new Runtime(device, parameters, graphs)
}
