/**
 * A model as a folder in Hugging Face's form (pretrained.ts). Weights are written as model.safetensors; they are read from
 * PyTorch's files and from several, too. Every file appears whole or not at all; the weights last.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, UserError } from '../error.js'
import { makeFolder, writeFileAtomic } from '../files.js'
import { openWeights, WEIGHT_FORMATS } from './formats/index.js'
import { writeSafetensors } from './formats/safetensors.js'
import {
  CONFIG_FILE,
  type ModelFolder,
  type ModelToSave,
  modelFolder,
  type PretrainedModel,
  pretrainedModel,
  smallFiles,
  VOCABULARY_FILES,
  type VocabularyContents,
  WEIGHTS_FILE,
  weightsMetadata,
} from './pretrained.js'

/** What weights are called in folders of Hugging Face; the first that is there is taken. */
const WEIGHTS_NAMES = [
  WEIGHTS_FILE,
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const

/** The files of a vocabulary in a folder, which may go away before a model is written with them. */
export function readVocabularyContents(dir: string): VocabularyContents {
  const there = VOCABULARY_FILES.filter((file) => existsSync(join(dir, file)))
  return new Map(there.map((file) => [file, readFileSync(join(dir, file))]))
}

/** The weights in a folder; where there are none, the file that should be there. */
export function weightsIn(dir: string): string {
  const name = WEIGHTS_NAMES.find((file) => existsSync(join(dir, file)))
  return join(dir, name ?? WEIGHTS_FILE)
}

/** Says of a folder whose weights are of a form that is not read as it is what to do with it. */
function refuseCheckpoint(dir: string): void {
  if (existsSync(weightsIn(dir)) || !existsSync(dir)) return
  const format = WEIGHT_FORMATS.find(({ find }) => find?.(dir) !== undefined)
  if (format)
    throw new UserError(
      `${dir}: holds weights in ${format.name}; make a model folder of them with import first`,
    )
}

/** Opens a model folder: the configuration and the names and shapes of the weights are read and checked. */
export function openModel(dir: string): PretrainedModel {
  refuseCheckpoint(dir)
  const configFile = join(dir, CONFIG_FILE)
  let text: string
  try {
    text = readFileSync(configFile, 'utf8')
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new InputError({
      file: configFile,
      found: missing ? 'no such file' : (error as Error).message,
      expected: `a model folder (${CONFIG_FILE}, ${WEIGHTS_FILE}, tokenizer.json)`,
    })
  }
  const hasVocabulary = existsSync(join(dir, VOCABULARY_FILES[0]))
  const weights = () => openWeights(weightsIn(dir))
  return pretrainedModel(dir, { path: configFile, text }, weights, hasVocabulary)
}

/** Writes a model folder; `dir` is made if need be and other files in it stay. */
export async function saveModel(dir: string, model: ModelToSave): Promise<void> {
  await writeModelFolder(dir, modelFolder(model))
}

/** As `saveModel`. */
export async function writeModelFolder(dir: string, model: ModelFolder): Promise<void> {
  makeFolder(dir)
  for (const [file, content] of smallFiles(model)) writeFileAtomic(join(dir, file), content)
  await writeSafetensors(join(dir, WEIGHTS_FILE), model.tensors, weightsMetadata(model))
}
