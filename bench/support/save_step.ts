/** Weights and batch of a pretraining step as files, from which a peer starts with the same. */
import { join } from 'node:path'
import { saveModel } from '../../src/model/folder.js'
import { type TensorToWrite, writeSafetensors } from '../../src/model/formats/safetensors.js'
import type { PretrainingStep } from './pretraining_step.js'

/** Writes the weights as they were first as a model folder, and the batch beside them as batch.safetensors. */
export async function saveStep(
  { config, parameters, initial, batch }: PretrainingStep,
  folder: string,
): Promise<void> {
  await saveModel(folder, {
    config,
    architecture: 'AlbertForPreTraining',
    parameters,
    data: initial(),
    vocabulary: new Map(),
    vocabularyDigest: 'none',
  })
  const tensors = Object.entries(batch).map(([name, data]): [string, TensorToWrite] => [
    name,
    { shape: [data.length], data },
  ])
  await writeSafetensors(join(folder, 'batch.safetensors'), tensors)
}
