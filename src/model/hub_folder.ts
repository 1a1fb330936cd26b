/**
 * A model as a folder that transformers loads by from_pretrained: config.json with its architecture and labels, weights in f32
 * under Hugging Face's names, cut into files where they are large, and the files of the vocabulary. Those stay as they are but
 * for the longest sequence: a tokenizer that allows more pieces than the model has positions makes it fail on long texts.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { folderAtomic, writeSynced } from '../files.js'
import { type NamedTensor, writeSharded } from './formats/sharded_writer.js'
import { formatConfig } from './huggingface.js'
import { CONFIG_FILE, DIGEST, VOCABULARY_FILES } from './pretrained.js'
import { arenaTensors } from './weights.js'
import type { WholeModel } from './whole_model.js'

/** What a vocabulary may have beside VOCABULARY_FILES, and the task that a model was fine-tuned for. */
const OTHER_FILES = ['special_tokens_map.json', 'added_tokens.json', 'vocab.txt', 'spiece.model', 'task.json']

const TOKENIZER_CONFIG = 'tokenizer_config.json'

export interface ExportedFolder {
  readonly files: readonly string[]
  /** Of the weights. */
  readonly bytes: number
  /** Files of a vocabulary that the model's folder has not. */
  readonly missing: readonly string[]
}

/** Writes the folder `out`, whole or not at all; no file has more than `largest` bytes of weights but for a single larger tensor. */
export async function exportFolder(
  out: string,
  model: WholeModel,
  largest: number,
  progress?: (done: number) => void,
): Promise<ExportedFolder> {
  const { config, architecture, labels, folder } = model
  return folderAtomic(out, async (temporary) => {
    const write = (file: string, content: Uint8Array | string) => writeSynced(join(temporary, file), content)
    const has = (file: string) => existsSync(join(folder.dir, file))
    const copied = [...VOCABULARY_FILES, ...OTHER_FILES].filter(has)
    for (const file of copied) {
      const content = readFileSync(join(folder.dir, file))
      write(file, file === TOKENIZER_CONFIG ? limited(content, config.maxPositions) : content)
    }
    write(CONFIG_FILE, formatConfig(config, architecture, labels, folder.problemType))
    const metadata = {
      format: 'pt',
      ...(folder.vocabularyDigest !== undefined && { [DIGEST]: folder.vocabularyDigest }),
    }
    const { files, bytes } = await writeSharded(temporary, tensorsOf(model), metadata, largest, progress)
    const missing = VOCABULARY_FILES.filter((file) => !copied.includes(file))
    return { files: [CONFIG_FILE, ...copied, ...files], bytes, missing }
  })
}

/** tokenizer_config.json with a `model_max_length` of at most `positions`. What is no JSON object stays as it is. */
function limited(content: Uint8Array, positions: number): Uint8Array | string {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(content))
  } catch {
    return content
  }
  const parsed = z.looseObject({ model_max_length: z.number().optional() }).safeParse(json)
  if (!parsed.success || (parsed.data.model_max_length ?? Number.POSITIVE_INFINITY) <= positions)
    return content
  return `${JSON.stringify({ ...parsed.data, model_max_length: positions }, null, 2)}\n`
}

/** Of an encoder alone, names do not say whose it is. */
function tensorsOf({ kind, config, parameters, data }: WholeModel): NamedTensor[] {
  const prefix = kind === 'Model' ? `${config.modelType}.` : ''
  return arenaTensors(parameters, data).map(([name, tensor]) => [name.slice(prefix.length), tensor])
}
