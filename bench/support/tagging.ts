/**
 * A token classifier with random weights and made-up sentences, for the benches of labelling and fine-tuning: ours on a
 * device, and the same as a folder (model, sentences.json) from which the peers start.
 */
import { join } from 'node:path'
import { Capture } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import { writeFileAtomic } from '../../src/files.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { type ModelConfig, preset } from '../../src/model/config.js'
import { saveModel } from '../../src/model/folder.js'
import { type TokenClassificationModel, tokenHead } from '../../src/model/token_classification.js'
import type { NerExample } from '../../src/tasks/entities/windows.js'
import { capacityOf, collate } from '../../src/training/finetuning/batches.js'
import { captureTraining } from '../../src/training/finetuning/loop.js'
import { initialValues } from '../../src/training/initialize.js'
import type { OptimizerSettings } from '../../src/training/optimizer.js'
import type { Random } from '../../test/support/random.js'
import { ncbiDisease } from '../shapes.js'
import { isEmulated } from './device.js'
import type { TrainingPrecision } from './precisions.js'

export const LABELS = ['O', 'B', 'I']
/** Pieces, few where an emulator updates a weight for each. */
const VOCABULARY = isEmulated ? 500 : 30_000
/** Ids below are special pieces. */
const FIRST_ID = 5
/** A label that does not count, as PyTorch has it. */
const NONE = -100

export interface Tagging {
  readonly config: ModelConfig
  readonly parameters: ParameterSet
  readonly model: TokenClassificationModel
  readonly initial: Float32Array
}

/** Declares the classifier of a preset and draws its weights. */
export function tagging(name: string, dropout: number): Tagging {
  // a peer drops in front of its classifier what it drops everywhere
  const config = preset(name, VOCABULARY, { dropout, classifierDropout: dropout })
  const parameters = new ParameterSet()
  const model = tokenHead.declare(parameters, config, LABELS.length)
  return { config, parameters, model, initial: initialValues(parameters, 1) }
}

/**
 * The programs of fine-tuning on a device, and the loss of `chosen` windows without dropout at the initial weights, which
 * every contestant must have.
 */
export async function openTagging(
  device: Device,
  { parameters, model, initial }: Pick<Tagging, 'parameters' | 'model' | 'initial'>,
  {
    rows,
    optimizer,
    precision,
  }: { rows: number; optimizer: OptimizerSettings; precision: TrainingPrecision },
  examples: readonly NerExample[],
  chosen: readonly number[],
): Promise<{ runtime: Runtime; loss: number }> {
  const evaluation = new Capture(parameters)
  const capacity = capacityOf(rows, model.config.maxPositions)
  const options = { training: false, labelled: true, precision }
  tokenHead.capture(evaluation, model, capacity, options)
  const runtime = new Runtime(device, parameters, {
    ...captureTraining(parameters, tokenHead, model, capacity, optimizer, { precision }),
    evaluate: evaluation.graph,
  })
  await runtime.writeState('parameters', initial)
  const batch = chosen.map((e) => examples[e])
  const { inputs, scalars } = collate(tokenHead, batch, capacity.length, true)
  await runtime.run('evaluate', inputs, { ...scalars, loss_scale: 1 / scalars.scored, seed: 0, draw: 0 })
  const [loss] = await runtime.read('evaluate', 'loss')
  return { runtime, loss }
}

/** Writes the model folder and, as its sentences.json, `sentences`. */
export async function saveTagging(folder: string, one: Tagging, sentences: unknown): Promise<void> {
  await saveModel(folder, {
    config: one.config,
    architecture: 'AlbertForTokenClassification',
    labels: LABELS,
    parameters: one.parameters,
    data: one.initial,
    vocabulary: new Map(),
    vocabularyDigest: 'none',
  })
  writeFileAtomic(join(folder, 'sentences.json'), JSON.stringify(sentences))
}

/** Lengths drawn as those of NCBI-disease, uniform within 8. */
export function ncbiLengths(count: number, draw: Random): number[] {
  const total = ncbiDisease.lengths.reduce<number>((a, b) => a + b, 0)
  return Array.from({ length: count }, () => {
    let left = draw.integer(total)
    const bin = ncbiDisease.lengths.findIndex((n) => {
      left -= n
      return left < 0
    })
    return Math.max(3, 8 * bin + draw.integer(8))
  })
}

/** Sentences of those lengths with a label for the share `scored` of their pieces. */
export function madeUp(lengths: readonly number[], share: number, draw: Random): NerExample[] {
  const examples = lengths.map((length, item) => {
    const count = Math.max(1, Math.round(share * length))
    const scored = draw.permutation(length).slice(0, count).sort()
    return {
      ids: draw.integers(length, FIRST_ID, VOCABULARY),
      scored,
      words: scored.map((_, w) => w),
      item,
    }
  })
  return examples.map((example) => ({
    ...example,
    targets: draw.integers(example.scored.length, 0, LABELS.length),
  }))
}

/** Sentences as a peer that trains reads them, in that order. */
export function labelledJson(examples: readonly NerExample[], order: ArrayLike<number>): unknown {
  return Array.from(order, (e) => {
    const row = new Array<number>(examples[e].ids.length).fill(NONE)
    examples[e].scored.forEach((at, w) => {
      row[at] = examples[e].targets?.[w] ?? NONE
    })
    return { ids: [...examples[e].ids], labels: row }
  })
}
