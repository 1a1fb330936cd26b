/** Fine-tuning runs on the toy sentences: small enough for a test, through the same doors as the command line. */
import { join } from 'node:path'
import { openCpu } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import type { NerSummary } from '../../src/tasks/entities/core.js'
import { entities } from '../../src/tasks/entities.js'
import type { Scores } from '../../src/tasks/task.js'
import { finetune } from '../../src/training/finetuning/finetune.js'
import { evaluateSplit, loadTask } from '../../src/training/finetuning/model.js'
import { openTask } from '../../src/training/finetuning/model_node.js'
import type { FinetuneHooks, FinetuneResult } from '../../src/training/finetuning/result.js'
import type { FinetuneOptions, FinetuneRun } from '../../src/training/finetuning/setup.js'
import { setUpFinetuning } from '../../src/training/finetuning/setup_node.js'
import { folderWith } from './temporary.js'
import { toyFiles } from './toy_ner.js'

/** A folder with the data `d` and the vocabulary `v`. */
export function toyFolder(sizes = { train: 120, devel: 40, test: 50 }, type = ''): string {
  return folderWith(toyFiles(sizes, type))
}

/** Settings of a run over a folder of `toyFolder`. */
export function toyOptions(folder: string, more: Partial<FinetuneOptions> = {}): FinetuneOptions {
  return {
    data: join(folder, 'd'),
    ...(more.model === undefined && { tokenizer: join(folder, 'v'), preset: 'nano' }),
    batch: 16,
    totalSteps: 12,
    learningRate: 1e-3,
    evalEvery: 5,
    weightDecay: 0.01,
    biasCorrection: false,
    clip: 1,
    seed: 7,
    recompute: false,
    ...more,
  }
}

export interface ToyRun {
  out: string
  threads?: number
  resume?: boolean
  hooks?: FinetuneHooks
  /** Changes the device. */
  wrap?: (device: Device) => Device
  /** Changes what was set up. */
  change?: (run: FinetuneRun) => FinetuneRun
}

/** With the scores of the task. */
export interface ToyResult extends FinetuneResult {
  dev: NerSummary
  test: NerSummary
}

/** Runs to the end on the CPU device. */
export async function toyRun(options: FinetuneOptions, run: ToyRun): Promise<ToyResult> {
  const device = openCpu({ threads: run.threads ?? 2 })
  try {
    const setUp = setUpFinetuning(entities, options)
    const changed = run.change?.(setUp) ?? setUp
    const used = run.wrap?.(device) ?? device
    return (await finetune(changed, used, run.out, run.resume ?? false, run.hooks)) as ToyResult
  } finally {
    await device.destroy()
  }
}

/** The scores of a saved model on a file, on one thread. */
export async function savedScores(dir: string, file: string): Promise<Scores> {
  const device = openCpu({ threads: 1 })
  try {
    const folder = openTask(dir)
    const predictor = await loadTask(folder, device)
    const split = folder.task.readFile(file, folder.context)
    return (await evaluateSplit(predictor, folder.task, split, folder.context)).scores
  } finally {
    await device.destroy()
  }
}
