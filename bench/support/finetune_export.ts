/**
 * A fine-tuning run that ours has prepared, as a folder that another program trains from (bench/peers/finetune.py): the model
 * before the first step, settings.json, order.json (the examples of every step) and the examples of train, dev and test as
 * JSON lines {ids, second?, scored, targets?, weight}. What is left to the other are its computing and its dropout masks.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, writeFileAtomic, writeWhole } from '../../src/files.js'
import type { ParameterSet } from '../../src/graph/parameters.js'
import type { ModelConfig } from '../../src/model/config.js'
import { saveModel } from '../../src/model/folder.js'
import type { Example, Head } from '../../src/model/head.js'
import { className } from '../../src/model/kind.js'
import { epochOrder } from '../../src/training/finetuning/batches.js'
import type { OptimizerSettings } from '../../src/training/optimizer.js'
import type { Schedule } from '../../src/training/schedule.js'

export const SPLITS = ['train', 'dev', 'test'] as const
export type SplitName = (typeof SPLITS)[number]

/** What a run is computed from; a prepared run of fine-tuning is one. */
export type PreparedRun = Readonly<Record<SplitName, { readonly examples: readonly Example[] }>> & {
  readonly task: { readonly name: string }
  readonly head: Pick<Head, 'name' | 'problemType' | 'weight'>
  readonly data: { readonly labels: readonly string[] }
  readonly config: ModelConfig
  readonly parameters: ParameterSet
  /** The parameter arena before the first step. */
  readonly initial: Float32Array
  /** Examples of a step. */
  readonly batch: number
  readonly schedule: Schedule
  readonly optimizer: OptimizerSettings
  readonly evalEvery: number
  readonly options: { readonly seed: number }
}

/** Writes the folder, which is made. */
export async function exportRun(folder: string, run: PreparedRun): Promise<void> {
  makeFolder(folder)
  const { config, data, head, parameters, initial } = run
  await saveModel(join(folder, 'model'), {
    config,
    architecture: className(config, head.name),
    labels: data.labels,
    parameters,
    data: initial,
    // pieces are numbers already
    vocabulary: new Map(),
    vocabularyDigest: 'none',
  })
  const writeJson = (name: string, value: unknown) =>
    writeFileAtomic(join(folder, name), `${JSON.stringify(value)}\n`)
  writeJson('settings.json', settingsOf(run))
  writeJson('order.json', stepOrder(run))
  for (const split of SPLITS) writeExamples(join(folder, `${split}.jsonl`), run[split].examples, head)
}

function settingsOf({
  task,
  head,
  data,
  config,
  batch,
  schedule,
  optimizer,
  evalEvery,
  options,
}: PreparedRun) {
  return {
    task: task.name,
    head: head.name,
    problem_type: head.problemType ?? null,
    labels: data.labels,
    outputs: data.labels.length,
    learning_rate: schedule.peak,
    warmup: schedule.warmup,
    total_steps: schedule.total,
    batch,
    eval_every: evalEvery,
    weight_decay: optimizer.weightDecay,
    clip: optimizer.clip,
    beta1: optimizer.beta1,
    beta2: optimizer.beta2,
    eps: optimizer.eps,
    bias_correction: optimizer.biasCorrection,
    dropout: config.dropout,
    classifier_dropout: config.classifierDropout,
    seed: options.seed,
  }
}

/** The examples of every step, in the order in which a new run of ours takes them. */
export function stepOrder({ train, batch, schedule, options }: PreparedRun): number[][] {
  const count = train.examples.length
  const perEpoch = Math.ceil(count / batch)
  const steps: number[][] = []
  for (let epoch = 0; steps.length < schedule.total; epoch++) {
    const order = epochOrder(count, options.seed, epoch)
    for (let i = 0; i < perEpoch && steps.length < schedule.total; i++)
      steps.push([...order.subarray(i * batch, (i + 1) * batch)])
  }
  return steps
}

function writeExamples(file: string, examples: readonly Example[], head: PreparedRun['head']): void {
  writeWhole(file, (write) => {
    for (const example of examples) {
      const { ids, second, scored, targets } = example
      const line = {
        ids: [...ids],
        second,
        scored: [...scored],
        targets: targets && [...targets],
        weight: targets ? head.weight(example) : 0,
      }
      write(`${JSON.stringify(line)}\n`)
    }
  })
}

/**
 * Logits [scored, outputs] of each example from a file that has those of all one after the other, as raw float32.
 * Throws an Error where it holds more or fewer.
 */
export function readLogits(file: string, examples: readonly Example[], outputs: number): Float32Array[] {
  const all = readFileSync(file)
  const count = examples.reduce((n, { scored }) => n + scored.length, 0) * outputs
  if (all.length !== count * Float32Array.BYTES_PER_ELEMENT)
    throw new Error(`${file}: ${all.length} bytes (want ${count} logits, of ${examples.length} examples)`)
  // a copy, because the file's bytes may begin anywhere
  const logits = new Float32Array(new Uint8Array(all).buffer)
  let at = 0
  return examples.map(({ scored }) => {
    const begin = at
    at += scored.length * outputs
    return logits.subarray(begin, at)
  })
}
