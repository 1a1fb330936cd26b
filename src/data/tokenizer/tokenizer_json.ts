/**
 * tokenizer.json and tokenizer_config.json, the two files of a vocabulary folder, read and written in Hugging
 * Face's form. Reading accepts what segments like SentencePiece's unigram model (ALBERT) or like BERT's
 * WordPiece and refuses everything else by name. Own keys of tokenizer_config.json: `digit_comma`. Needs nothing of
 * Node; tokenizer_node.ts has files.
 */
import { InputError } from '../../error.js'
import { CharsMap } from './charsmap.js'
import {
  type BertOptions,
  bertNormalizer,
  type Normalizer,
  type NormalizerStep,
  unigramNormalizer,
} from './normalizer.js'
import type { UnigramPiece } from './unigram.js'

export const METASPACE = '▁'
/** What Hugging Face subtracts from pieces such as `▁2000,` so that they are never chosen. */
export const DIGIT_COMMA_PENALTY = 100

export interface SpecialIds {
  pad: number
  unk: number
  cls: number
  sep: number
  mask: number
}

export interface VocabularyFiles {
  kind: 'unigram' | 'wordpiece'
  pieces: string[]
  /** Log probabilities (unigram); empty for WordPiece. */
  unigram: UnigramPiece[]
  /** Prefix of continuations and longest word in characters (WordPiece). */
  wordpiece: { prefix: string; maxCharacters: number }
  normalizer: Normalizer
  /** ALBERT's rule: a piece that ends in a comma after a digit is segmented again without the comma. */
  digitComma: boolean
  special: SpecialIds
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

/** Whether a piece falls under ALBERT's digit-comma rule. */
export function endsInDigitComma(piece: string): boolean {
  return /\p{Nd},$/u.test(piece)
}

/** A file by its name, for errors, and its text. */
export interface NamedText {
  readonly path: string
  readonly text: string
}

/**
 * Reads the text of a tokenizer.json and, where there is one, of the tokenizer_config.json beside it.
 * Throws an InputError for what is no JSON, and for a model that neither ALBERT nor BERT has.
 */
export function parseVocabulary(tokenizer: NamedText, options?: NamedText): VocabularyFiles {
  const { path } = tokenizer
  const json = parseObject(tokenizer)
  const config = options === undefined ? {} : parseObject(options)
  const model = objectAt(json, 'model', path)
  const specials = new Map<string, number>()
  for (const token of Array.isArray(json.added_tokens) ? json.added_tokens : []) {
    const { content, id } = token as JsonObject
    if (typeof content === 'string' && typeof id === 'number') specials.set(content, id)
  }
  if (model.type === 'Unigram') return readUnigram(path, json, model, config, specials)
  if (model.type === 'WordPiece') return readWordPiece(path, json, model, config)
  throw new InputError({
    file: path,
    found: `a model of type ${JSON.stringify(model.type ?? null)}`,
    expected: 'Unigram (ALBERT) or WordPiece (BERT)',
  })
}

function readUnigram(
  path: string,
  json: JsonObject,
  model: JsonObject,
  config: JsonObject,
  specials: Map<string, number>,
): VocabularyFiles {
  const unknownId = model.unk_id
  const rows = model.vocab
  const sound =
    Array.isArray(rows) &&
    rows.length > 0 &&
    rows.every((row) => Array.isArray(row) && typeof row[0] === 'string' && typeof row[1] === 'number')
  if (!sound || typeof unknownId !== 'number' || unknownId < 0 || unknownId >= rows.length) {
    throw new InputError({
      file: path,
      found: 'a Unigram model without a list of [piece, score] and an unk_id in it',
      expected: 'model.vocab [[piece, score], ...] and model.unk_id',
    })
  }
  const list = rows as [string, number][]
  const penalised = list.some(([piece, score]) => endsInDigitComma(piece) && score < -DIGIT_COMMA_PENALTY)
  const digitComma = typeof config.digit_comma === 'boolean' ? config.digit_comma : penalised
  const pieces = list.map(([piece]) => piece)
  checkMetaspace(path, json.pre_tokenizer)
  const steps = flatten(json.normalizer).flatMap((step) => normalizerStep(path, step))
  const special = specialIds(path, pieces, config, ['<pad>', '<unk>', '[CLS]', '[SEP]', '[MASK]'])
  return {
    kind: 'unigram',
    pieces,
    unigram: list.map(([piece, score], id) => ({
      piece,
      score: penalised && endsInDigitComma(piece) ? score + DIGIT_COMMA_PENALTY : score,
      ordinary: id !== unknownId && specials.get(piece) !== id,
    })),
    wordpiece: { prefix: '', maxCharacters: 0 },
    normalizer: unigramNormalizer(steps),
    digitComma,
    special: { ...special, unk: unknownId },
  }
}

function readWordPiece(
  path: string,
  json: JsonObject,
  model: JsonObject,
  config: JsonObject,
): VocabularyFiles {
  const vocab = objectAt(model, 'vocab', path)
  const pieces: string[] = []
  for (const [piece, id] of Object.entries(vocab)) pieces[id as number] = piece
  for (let id = 0; id < pieces.length; id++) {
    if (pieces[id] === undefined) {
      throw new InputError({ file: path, found: `no piece with id ${id}`, expected: 'ids 0, 1, 2, ...' })
    }
  }
  const normalizer = json.normalizer as JsonObject | null
  if (normalizer?.type !== 'BertNormalizer') {
    throw new InputError({
      file: path,
      found: `a normalizer of type ${JSON.stringify(normalizer?.type ?? null)} with a WordPiece model`,
      expected: 'BertNormalizer',
    })
  }
  const lowercase = normalizer.lowercase === true
  const options: BertOptions = {
    cleanText: normalizer.clean_text !== false,
    chineseCharacters: normalizer.handle_chinese_chars !== false,
    stripAccents: typeof normalizer.strip_accents === 'boolean' ? normalizer.strip_accents : lowercase,
    lowercase,
  }
  return {
    kind: 'wordpiece',
    pieces,
    unigram: [],
    wordpiece: {
      prefix: typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '##',
      maxCharacters:
        typeof model.max_input_chars_per_word === 'number' ? model.max_input_chars_per_word : 100,
    },
    normalizer: bertNormalizer(options),
    digitComma: false,
    special: specialIds(path, pieces, config, ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']),
  }
}

/**
 * What decides the ids, as bytes whose SHA-256 is the digest of a vocabulary: kind, options, pieces, and scores as 64-bit
 * floats.
 */
export function decisiveBytes({ kind, digitComma, special, pieces, unigram }: VocabularyFiles): Uint8Array {
  const text = `${kind}\n${digitComma}\n${JSON.stringify(special)}\n${pieces.join('\n')}`
  const head = new TextEncoder().encode(text)
  const scores = Float64Array.from(unigram, ({ score }) => score)
  const bytes = new Uint8Array(head.length + scores.byteLength)
  bytes.set(head)
  bytes.set(new Uint8Array(scores.buffer), head.length)
  return bytes
}

/** Bytes written in base64; none where it is no base64. */
function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
  } catch {
    return new Uint8Array(0)
  }
}

function parseObject({ path, text }: NamedText): JsonObject {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch (error) {
    throw new InputError({ file: path, found: (error as Error).message, expected: 'JSON' })
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new InputError({ file: path, found: 'no JSON object', expected: 'a JSON object' })
  }
  return value
}

function objectAt(parent: JsonObject, key: string, path: string): JsonObject {
  const value = parent[key]
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new InputError({ file: path, found: `no object "${key}"`, expected: 'a tokenizer.json' })
  }
  return value
}

function specialIds(path: string, pieces: string[], config: JsonObject, names: string[]): SpecialIds {
  const keys = ['pad', 'unk', 'cls', 'sep', 'mask'] as const
  const ids = keys.map((key, i) => {
    const configured = config[`${key}_token`]
    const content =
      typeof configured === 'string'
        ? configured
        : ((configured as JsonObject | undefined)?.content ?? names[i])
    const id = pieces.indexOf(content as string)
    if (id < 0) {
      throw new InputError({
        file: path,
        found: `no piece ${JSON.stringify(content)} (${key})`,
        expected: `the special pieces ${names.join(' ')}`,
      })
    }
    return id
  })
  return { pad: ids[0], unk: ids[1], cls: ids[2], sep: ids[3], mask: ids[4] }
}

function flatten(part: Json | undefined, list = 'normalizers'): JsonObject[] {
  if (part === null || part === undefined) return []
  const object = part as JsonObject
  if (object.type !== 'Sequence') return [object]
  return (object[list] as Json[]).flatMap((each) => flatten(each, list))
}

function checkMetaspace(path: string, part: Json | undefined): void {
  const steps = flatten(part, 'pretokenizers').filter((step) => step.type !== 'WhitespaceSplit')
  const [metaspace] = steps
  const always = metaspace?.prepend_scheme === 'always' || metaspace?.add_prefix_space === true
  if (
    steps.length !== 1 ||
    metaspace.type !== 'Metaspace' ||
    metaspace.replacement !== METASPACE ||
    !always
  ) {
    throw new InputError({
      file: path,
      found: `a pre-tokenizer ${JSON.stringify(part ?? null)}`,
      expected: `Metaspace with ${METASPACE}, prepended always`,
    })
  }
}

function normalizerStep(path: string, step: JsonObject): NormalizerStep[] {
  const pattern = step.pattern as JsonObject | undefined
  switch (step.type) {
    case 'NFKD':
    case 'NFKC':
    case 'NFC':
    case 'NFD':
    case 'StripAccents':
    case 'Lowercase':
      return [{ type: step.type }]
    case 'Precompiled':
      return [
        {
          type: 'Precompiled',
          map: new CharsMap(fromBase64(step.precompiled_charsmap as string), path),
        },
      ]
    case 'Strip':
      return []
    case 'Replace':
      if (typeof pattern?.String === 'string' && typeof step.content === 'string') {
        return [{ type: 'Replace', from: pattern.String, to: step.content }]
      }
      // Runs of blanks never reach the normaliser here: it works on one token at a time.
      if (typeof pattern?.Regex === 'string' && pattern.Regex.startsWith(' {2,}')) {
        return []
      }
  }
  throw new InputError({
    file: path,
    found: `a normalizer ${JSON.stringify({ ...step, precompiled_charsmap: undefined })}`,
    expected: 'NFKD, NFKC, StripAccents, Lowercase, Precompiled or Replace of a string',
  })
}
