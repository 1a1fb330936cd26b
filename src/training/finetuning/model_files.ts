/**
 * Models as files in memory: the files of a model folder by name, read and made. Where there are no folders, in a browser, a
 * page has them from a person's hand and gives them back. Needs nothing of Node.
 */
import { decodeText } from '../../data/files/text.js'
import { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import type { NamedText } from '../../data/tokenizer/tokenizer_json.js'
import { InputError } from '../../error.js'
import { bytesSource } from '../../model/formats/byte_source.js'
import { parseSafetensors } from '../../model/formats/safetensors_format.js'
import {
  CONFIG_FILE,
  encodeModel,
  type PretrainedModel,
  pretrainedModel,
  VOCABULARY_FILES,
  type VocabularyContents,
  WEIGHTS_FILE,
} from '../../model/pretrained.js'
import type { TaskCore } from '../../tasks/task.js'
import type { ModelToKeep } from './keeper.js'
import { checkedTokenizer, TASK_FILE, type TaskFolder, taskFolder, taskText } from './model.js'

/** Files of a model folder by name; others may be among them. */
export type ModelFiles = ReadonlyMap<string, Uint8Array>

/** A model of any kind with its vocabulary, as its files say. */
export interface OpenedModel {
  readonly model: PretrainedModel
  readonly tokenizer: Tokenizer
  readonly vocabulary: VocabularyContents
  /** task.json, where there is one: without it and without labels the model has not been fine-tuned. */
  readonly record?: NamedText
}

/**
 * Reads and checks a model; `name` is what errors call it. Throws an InputError for a file that is missing, damaged or foreign,
 * and a UserError for another model's vocabulary.
 */
export async function openFiles(name: string, files: ModelFiles): Promise<OpenedModel> {
  const path = (file: string) => `${name}/${file}`
  const bytesOf = (file: string) => {
    const found = files.get(file)
    if (found) return found
    const names = [...files.keys()]
    throw new InputError({
      file: path(file),
      found: names.length === 0 ? 'no file' : `no such file among ${names.join(', ')}`,
      expected: `a model folder (${CONFIG_FILE}, ${WEIGHTS_FILE}, ${VOCABULARY_FILES[0]})`,
    })
  }
  const textOf = (file: string) => ({ path: path(file), text: decodeText(bytesOf(file), path(file)) })
  const optional = (file: string) => (files.has(file) ? textOf(file) : undefined)
  const weights = () => parseSafetensors(bytesSource(bytesOf(WEIGHTS_FILE), path(WEIGHTS_FILE)))
  const model = pretrainedModel(name, textOf(CONFIG_FILE), weights, true)
  const [tokenizerFile, optionsFile] = VOCABULARY_FILES
  const tokenizer = await Tokenizer.parse(textOf(tokenizerFile), optional(optionsFile))
  checkedTokenizer(model, () => tokenizer)
  const there = VOCABULARY_FILES.filter((file) => files.has(file))
  const vocabulary = new Map(there.map((file) => [file, bytesOf(file)]))
  return { model, tokenizer, vocabulary, record: optional(TASK_FILE) }
}

/** The fine-tuned model that it is, of one of `tasks`. Throws as `taskFolder` does. */
export function taskOf<T extends TaskCore>(
  { model, tokenizer, record }: OpenedModel,
  tasks: readonly T[],
): TaskFolder<T> {
  return taskFolder({ model, tokenizer: () => tokenizer, record }, tasks)
}

/** All files of a fine-tuned model by name. */
export async function encodeTask({ task, record, model }: ModelToKeep): Promise<Map<string, Uint8Array>> {
  const files = await encodeModel(model)
  return files.set(TASK_FILE, new TextEncoder().encode(taskText(task, record)))
}
