/** Fine-tuning runs on the toy sentences: small enough for a test, through the same doors as the command line. */
import { join } from 'node:path'
import { openCpu } from '../../src/device/cpu.js'
import { finetuneNer, type NerHooks, type NerResult } from '../../src/training/finetuning/finetune.js'
import { type NerRun, type NerRunOptions, setUpNer } from '../../src/training/finetuning/setup.js'
import { folderWith } from './temporary.js'
import { toyFiles } from './toy_ner.js'

/** A folder with the data `d` and the vocabulary `v`. */
export function toyFolder(sizes = { train: 120, devel: 40, test: 50 }, type = ''): string {
  return folderWith(toyFiles(sizes, type))
}

/** Settings of a run over a folder of `toyFolder`. */
export function toyOptions(folder: string, more: Partial<NerRunOptions> = {}): NerRunOptions {
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
  hooks?: NerHooks
  /** Changes what was set up. */
  change?: (run: NerRun) => NerRun
}

/** Runs to the end on the CPU device. */
export async function toyRun(options: NerRunOptions, run: ToyRun): Promise<NerResult> {
  const device = openCpu({ threads: run.threads ?? 2 })
  try {
    const setUp = setUpNer(options)
    return await finetuneNer(run.change?.(setUp) ?? setUp, device, run.out, run.resume ?? false, run.hooks)
  } finally {
    await device.destroy()
  }
}
