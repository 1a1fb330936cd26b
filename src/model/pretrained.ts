/**
 * A model in Hugging Face's form: config.json, weights, and the files of its vocabulary (tokenizer.json,
 * tokenizer_config.json). What the files say and what is written in them; the digest of the vocabulary stands in the metadata
 * of the weights, so that weights and a foreign vocabulary are not put together. Needs nothing of Node; folder.ts has folders.
 */
import { UserError } from '../error.js'
import type { ParameterSet } from '../graph/parameters.js'
import type { ModelConfig } from './config.js'
import { encodeSafetensors, type TensorToWrite } from './formats/safetensors_format.js'
import type { WeightsFile } from './formats/weights_file.js'
import { formatConfig, type ProblemType, parseConfig } from './huggingface.js'
import { arenaTensors } from './weights.js'

export const CONFIG_FILE = 'config.json'
export const WEIGHTS_FILE = 'model.safetensors'
export const VOCABULARY_FILES = ['tokenizer.json', 'tokenizer_config.json'] as const
export const DIGEST = 'vocabulary_digest'

/** Files of a vocabulary by name. */
export type VocabularyContents = ReadonlyMap<string, Uint8Array>

export interface PretrainedModel {
  /** Of the folder, or what errors call the model. */
  readonly dir: string
  readonly configFile: string
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

/** A config.json by its name, for errors, and its text. */
export interface ConfigText {
  readonly path: string
  readonly text: string
}

/** A model from what its files say. `weights` opens them once the configuration is understood. */
export function pretrainedModel(
  dir: string,
  configuration: ConfigText,
  weights: () => WeightsFile,
  hasVocabulary: boolean,
): PretrainedModel {
  const { config, labels, problemType } = parseConfig(configuration.text, configuration.path)
  const file = weights()
  const vocabularyDigest = file.metadata.get(DIGEST)
  const { path: configFile } = configuration
  return { dir, configFile, config, labels, problemType, weights: file, vocabularyDigest, hasVocabulary }
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

/** A model whose tensors may come from elsewhere than an arena. */
export interface ModelFolder extends Pick<ModelToSave, 'config' | 'labels' | 'problemType' | 'vocabulary'> {
  readonly architecture: string
  readonly tensors: Iterable<readonly [name: string, tensor: TensorToWrite]>
  readonly vocabularyDigest?: string
}

/** A model as what is written of it. */
export function modelFolder(model: ModelToSave): ModelFolder {
  return { ...model, tensors: arenaTensors(model.parameters, model.data) }
}

/** The files of a model but its weights, by name. */
export function smallFiles({
  config,
  architecture,
  labels,
  problemType,
  vocabulary,
}: ModelFolder): Map<string, string | Uint8Array> {
  return new Map<string, string | Uint8Array>([
    ...vocabulary,
    [CONFIG_FILE, formatConfig(config, architecture, labels, problemType)],
  ])
}

/** What stands beside the tensors in the file of the weights. */
export function weightsMetadata({ vocabularyDigest }: ModelFolder): Record<string, string> {
  return { format: 'pt', ...(vocabularyDigest !== undefined && { [DIGEST]: vocabularyDigest }) }
}

/** All files of a model in memory, by name. */
export async function encodeModel(model: ModelToSave): Promise<Map<string, Uint8Array>> {
  const folder = modelFolder(model)
  const text = new TextEncoder()
  const files = new Map<string, Uint8Array>()
  for (const [name, content] of smallFiles(folder))
    files.set(name, typeof content === 'string' ? text.encode(content) : content)
  files.set(WEIGHTS_FILE, await encodeSafetensors(WEIGHTS_FILE, folder.tensors, weightsMetadata(folder)))
  return files
}
