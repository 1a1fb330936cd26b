/**
 * A model as a folder in Hugging Face's form: config.json, weights, and the files of its vocabulary (tokenizer.json,
 * tokenizer_config.json). Weights are written as model.safetensors; they are read from PyTorch's files and from several, too.
 * The digest of the vocabulary stands in the metadata of the weights, so that weights and a foreign vocabulary are not put
 * together. Every file appears whole or not at all; the weights last.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, UserError } from '../error.js'
import { makeFolder, writeFileAtomic } from '../files.js'
import type { ParameterSet } from '../graph/parameters.js'
import type { ModelConfig } from './config.js'
import { openWeights, WEIGHT_FORMATS } from './formats/index.js'
import { type TensorToWrite, writeSafetensors } from './formats/safetensors.js'
import type { WeightsFile } from './formats/weights_file.js'
import { formatConfig, type ProblemType, parseConfig } from './huggingface.js'
import { arenaTensors } from './weights.js'

export const CONFIG_FILE = 'config.json'
export const WEIGHTS_FILE = 'model.safetensors'
/** What weights are called in folders of Hugging Face; the first that is there is taken. */
const WEIGHTS_NAMES = [
  WEIGHTS_FILE,
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const
export const VOCABULARY_FILES = ['tokenizer.json', 'tokenizer_config.json'] as const
export const DIGEST = 'vocabulary_digest'

/** Files of a vocabulary by name. */
export type VocabularyContents = ReadonlyMap<string, Uint8Array>

/** The files of a vocabulary in a folder, which may go away before a model is written with them. */
export function readVocabularyContents(dir: string): VocabularyContents {
  const there = VOCABULARY_FILES.filter((file) => existsSync(join(dir, file)))
  return new Map(there.map((file) => [file, readFileSync(join(dir, file))]))
}

export interface PretrainedModel {
  readonly dir: string
  readonly config: ModelConfig
  /** Names of the labels of a classifier, by index. */
  readonly labels?: readonly string[]
  /** What a classifier of sequences was trained by, if the folder says so. */
  readonly problemType?: ProblemType
  /** Read with `loadPretrained` of weights.ts. */
  readonly weights: WeightsFile
  /** Digest of the vocabulary that the weights were trained with, if the folder knows it. */
  readonly vocabularyDigest?: string
  /** The folder holds a tokenizer.json. */
  readonly hasVocabulary: boolean
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
  const { config, labels, problemType } = parseConfig(text, configFile)
  const weights = openWeights(weightsIn(dir))
  return {
    dir,
    config,
    labels,
    problemType,
    weights,
    vocabularyDigest: weights.metadata.get(DIGEST),
    hasVocabulary: existsSync(join(dir, VOCABULARY_FILES[0])),
  }
}

/** Refuses a vocabulary that is not the model's. `digest` is the tokenizer's in use. */
export function checkVocabulary(model: PretrainedModel, size: number, digest: string): void {
  const { dir, config, vocabularyDigest } = model
  if (config.vocabularySize !== size)
    throw new UserError(
      `${dir}: the model has a vocabulary of ${config.vocabularySize} pieces, the tokenizer in use has ${size}`,
    )
  if (vocabularyDigest !== undefined && vocabularyDigest !== digest)
    throw new UserError(
      `${dir}: trained with vocabulary ${vocabularyDigest.slice(0, 12)}, but the one in use is ${digest.slice(0, 12)}`,
    )
}

export interface ModelToSave {
  readonly config: ModelConfig
  /** What Hugging Face calls the model, such as AlbertForTokenClassification. */
  readonly architecture: string
  readonly labels?: readonly string[]
  readonly problemType?: ProblemType
  readonly parameters: ParameterSet
  /** The parameter arena. */
  readonly data: Float32Array
  readonly vocabulary: VocabularyContents
  readonly vocabularyDigest: string
}

/** Writes a model folder; `dir` is made if need be and other files in it stay. */
export async function saveModel(dir: string, model: ModelToSave): Promise<void> {
  await writeModelFolder(dir, { ...model, tensors: arenaTensors(model.parameters, model.data) })
}

/** A model whose tensors may come from elsewhere than an arena. */
export interface ModelFolder extends Pick<ModelToSave, 'config' | 'labels' | 'problemType' | 'vocabulary'> {
  readonly architecture: string
  readonly tensors: Iterable<readonly [name: string, tensor: TensorToWrite]>
  readonly vocabularyDigest?: string
}

/** As `saveModel`. */
export async function writeModelFolder(dir: string, model: ModelFolder): Promise<void> {
  const { config, architecture, labels, problemType, tensors, vocabulary, vocabularyDigest } = model
  makeFolder(dir)
  for (const [file, content] of vocabulary) writeFileAtomic(join(dir, file), content)
  writeFileAtomic(join(dir, CONFIG_FILE), formatConfig(config, architecture, labels, problemType))
  await writeSafetensors(join(dir, WEIGHTS_FILE), tensors, {
    format: 'pt',
    ...(vocabularyDigest !== undefined && { [DIGEST]: vocabularyDigest }),
  })
}
