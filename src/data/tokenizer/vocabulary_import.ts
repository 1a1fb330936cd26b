/**
 * Vocabularies that others trained: SentencePiece unigram models (`spiece.model`, ALBERT) and WordPiece lists
 * (`vocab.txt`, BERT), written as a vocabulary folder that Tokenizer and Hugging Face load.
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError, UserError } from '../../error.js'
import { makeFolder, writeFileAtomic } from '../../files.js'
import { PIECE, readSpiece } from './spiece.js'
import { ALBERT_SPECIAL, BERT_SPECIAL, writeUnigram, writeWordPiece } from './vocabulary_write.js'

export interface ImportOptions {
  /** ALBERT's digit-comma rule; default on for spiece.model. */
  digitComma?: boolean
  /** Default true for spiece.model; for vocab.txt true unless it holds upper-case pieces. */
  lowercase?: boolean
}

/** Imports `file` into folder `dir`; answers what it was and how many pieces it has. */
export function importVocabulary(
  file: string,
  dir: string,
  options: ImportOptions = {},
): { kind: 'unigram' | 'wordpiece'; pieces: number } {
  return file.endsWith('.txt') ? importWordPiece(file, dir, options) : importSpiece(file, dir, options)
}

function importSpiece(file: string, dir: string, options: ImportOptions) {
  const { pieces, charsmap } = readSpiece(file)
  requireSpecial(
    file,
    pieces.map(({ piece }) => piece),
    ALBERT_SPECIAL,
  )
  for (const [id, { piece, type }] of pieces.entries()) {
    const special = type === PIECE.control || type === PIECE.unknown
    if (type === PIECE.unused || type === PIECE.byte || (special && !ALBERT_SPECIAL.includes(piece))) {
      throw new InputError({
        file,
        found: `piece ${id} ${JSON.stringify(piece)} of type ${type}`,
        expected: `ordinary and user-defined pieces, and ${ALBERT_SPECIAL.join(' ')} as the special ones`,
      })
    }
  }
  const encoder = new TextEncoder()
  // FLT_MIN: where SentencePiece starts its search for the highest score.
  const highest = pieces.reduce(
    (most, { score, type }) => (type === PIECE.normal ? Math.max(most, score) : most),
    1.1754943508222875e-38,
  )
  writeUnigram(dir, {
    pieces: pieces.map(({ piece, score, type }) => ({
      piece,
      score:
        type === PIECE.userDefined
          ? Math.fround(encoder.encode(piece).length * Math.fround(highest)) - 0.1
          : score,
    })),
    special: ALBERT_SPECIAL,
    charsmap,
    digitComma: options.digitComma ?? true,
    lowercase: options.lowercase ?? true,
  })
  return { kind: 'unigram' as const, pieces: pieces.length }
}

function importWordPiece(file: string, dir: string, options: ImportOptions) {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof TypeError) {
      throw new InputError({ file, found: 'bytes that are not UTF-8', expected: 'one piece a line in UTF-8' })
    }
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  }
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''))
  if (lines.at(-1) === '') lines.pop()
  const seen = new Map<string, number>()
  lines.forEach((piece, i) => {
    const expected = 'one piece a line, each once'
    if (piece === '') throw new InputError({ file, line: i + 1, found: 'an empty line', expected })
    const earlier = seen.get(piece)
    if (earlier !== undefined) {
      const found = `${JSON.stringify(piece)} again, first on line ${earlier}`
      throw new InputError({ file, line: i + 1, found, expected })
    }
    seen.set(piece, i + 1)
  })
  requireSpecial(file, lines, BERT_SPECIAL)
  const cased = lines.some((piece) => !BERT_SPECIAL.includes(piece) && /^(##)?\p{Lu}\p{Ll}{2,}$/u.test(piece))
  writeWordPiece(dir, lines, options.lowercase ?? !cased)
  return { kind: 'wordpiece' as const, pieces: lines.length }
}

function requireSpecial(file: string, pieces: string[], special: string[]): void {
  const missing = special.filter((piece) => !pieces.includes(piece))
  if (missing.length === 0) return
  throw new InputError({
    file,
    found: `a vocabulary of ${pieces.length} without ${missing.join(' ')}`,
    expected: `the special pieces ${special.join(' ')}`,
  })
}

/** Files that a vocabulary is made from, the first that is there: the original's before what was made of it. */
const SOURCES = ['spiece.model', '30k-clean.model', 'tokenizer.json', 'vocab.txt'] as const

/** The file in a folder that a vocabulary can be made from. */
export function vocabularyIn(dir: string): string | undefined {
  const name = SOURCES.find((file) => existsSync(join(dir, file)))
  return name && join(dir, name)
}

/**
 * As `importVocabulary`, of a file that may be a tokenizer.json too, which is taken as it is; a tokenizer_config.json beside
 * the file says whether text is made lower case, where `options` do not.
 */
export function adoptVocabulary(file: string, dir: string, options: ImportOptions = {}): string {
  const beside = join(dirname(file), 'tokenizer_config.json')
  if (basename(file) === 'tokenizer.json') {
    const there = [file, ...(existsSync(beside) ? [beside] : [])]
    makeFolder(dir)
    for (const path of there) writeFileAtomic(join(dir, basename(path)), readFileSync(path))
    return 'tokenizer.json'
  }
  const lowercase = options.lowercase ?? lowerCaseIn(beside)
  return importVocabulary(file, dir, { ...options, lowercase }).kind
}

function lowerCaseIn(file: string): boolean | undefined {
  if (!existsSync(file)) return undefined
  try {
    const { do_lower_case: lower } = JSON.parse(readFileSync(file, 'utf8')) as { do_lower_case?: unknown }
    return typeof lower === 'boolean' ? lower : undefined
  } catch {
    throw new InputError({ file, found: 'no JSON object', expected: 'the options of a tokenizer' })
  }
}
