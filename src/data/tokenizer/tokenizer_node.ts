/** Tokenizers from vocabulary folders. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../error.js'
import { Tokenizer } from './tokenizer.js'
import { decisiveBytes, type NamedText, parseVocabulary } from './tokenizer_json.js'

/** Loads DIR/tokenizer.json and, where there is one, DIR/tokenizer_config.json. */
export function loadTokenizer(dir: string): Tokenizer {
  const options = join(dir, 'tokenizer_config.json')
  const files = parseVocabulary(
    textOf(join(dir, 'tokenizer.json')),
    existsSync(options) ? textOf(options) : undefined,
  )
  return new Tokenizer(files, createHash('sha256').update(decisiveBytes(files)).digest('hex'))
}

function textOf(path: string): NamedText {
  try {
    return { path, text: readFileSync(path, 'utf8') }
  } catch {
    throw new UserError(
      `${path}: cannot be read; a vocabulary folder holds tokenizer.json (see: vocab import)`,
    )
  }
}
