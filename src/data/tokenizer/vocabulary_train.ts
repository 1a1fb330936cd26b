/**
 * A vocabulary of one's own: text files -> ALBERT's normalisation -> counts of units (letters, digits or one
 * mark) -> unigram pieces, with <pad> 0, <unk> 1, [CLS] 2, [SEP] 3, [MASK] 4 in front.
 * Memory is bounded by the number of different units, not by the text.
 */
import { InputError, UsageError } from '../../error.js'
import { refuseExisting } from '../../files.js'
import { readLines } from '../files/lines.js'
import { unigramNormalizer } from './normalizer.js'
import { METASPACE } from './tokenizer_json.js'
import { trainUnigram, UNIT, VocabularySizeError } from './unigram_trainer.js'
import { ALBERT_SPECIAL, writeUnigram } from './vocabulary_write.js'

export interface TrainOptions {
  files: string[]
  out: string
  /** Pieces in all, special ones included. */
  size: number
  lowercase?: boolean
  characterCoverage?: number
}

/** Units kept at once; above it, those seen once are forgotten. */
const MOST_UNITS = 2_000_000
const UNITS_FOR_TRAINING = 300_000

/**
 * Trains a vocabulary into folder `out`; answers its size, which is smaller than asked for where the text has no use
 * for more pieces, and the units and bytes that it was trained on.
 */
export function trainVocabulary(
  options: TrainOptions,
  progress: (bytes: number) => void = () => {},
): { pieces: number; units: number; bytes: number } {
  const { files, out, size, lowercase = true, characterCoverage = 0.9995 } = options
  const special = ALBERT_SPECIAL
  if (!Number.isInteger(size) || size <= special.length || size > 1_000_000) {
    throw new UsageError(
      `vocabulary size: found ${size}, want a whole number from ${special.length + 1} to 1000000`,
    )
  }
  if (!(characterCoverage > 0 && characterCoverage <= 1)) {
    throw new UsageError(`character coverage: found ${characterCoverage}, want above 0 and at most 1`)
  }
  refuseExisting(out)
  const { words, bytes } = countWords(files, lowercase, progress)
  const units = countUnits(words)
  let pieces: { text: string; score: number }[]
  try {
    pieces = trainUnigram(units, { size: size - special.length, characterCoverage })
  } catch (error) {
    if (!(error instanceof VocabularySizeError)) throw error
    const [least, most] = [error.least + special.length, error.most + special.length]
    throw new UsageError(`vocabulary size: found ${size}, want ${least} to ${most} for this text`)
  }
  writeUnigram(out, {
    pieces: [
      ...special.map((piece) => ({ piece, score: 0 })),
      ...pieces.map(({ text, score }) => ({ piece: text, score })),
    ],
    special,
    charsmap: new Uint8Array(0),
    digitComma: false,
    lowercase,
  })
  return { pieces: pieces.length + special.length, units: units.size, bytes }
}

function countWords(files: string[], lowercase: boolean, progress: (bytes: number) => void) {
  const normalizer = unigramNormalizer([
    { type: 'NFKD' },
    { type: 'StripAccents' },
    ...(lowercase ? [{ type: 'Lowercase' } as const] : []),
  ])
  const tokens = new Map<string, number>()
  let bytes = 0
  for (const file of files) {
    let words = 0
    for (const line of readLines(file)) {
      bytes += Buffer.byteLength(line) + 1
      for (const token of line.split(/\s+/u)) {
        if (token === '') continue
        words++
        tokens.set(token, (tokens.get(token) ?? 0) + 1)
      }
      if (tokens.size > MOST_UNITS) for (const [token, count] of tokens) if (count === 1) tokens.delete(token)
      progress(bytes)
    }
    if (words === 0)
      throw new InputError({ file, found: 'no text', expected: 'text to train a vocabulary on' })
  }
  const words = new Map<string, number>()
  for (const [token, count] of tokens) {
    for (const word of normalizer.words(token)) words.set(word, (words.get(word) ?? 0) + count)
  }
  return { words, bytes }
}

/** The most frequent units; ties by text, so that the result is a function of the input. */
function countUnits(words: Map<string, number>): Map<string, number> {
  const units = new Map<string, number>()
  for (const [word, count] of words) {
    for (const [unit] of (METASPACE + word).matchAll(UNIT)) units.set(unit, (units.get(unit) ?? 0) + count)
  }
  if (units.size <= UNITS_FOR_TRAINING) return units
  const sorted = [...units].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  return new Map(sorted.slice(0, UNITS_FOR_TRAINING))
}
