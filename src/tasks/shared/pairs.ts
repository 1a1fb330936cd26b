/** Pairs of sentences: the records of files that hold them, and a pair on a line given to `predict`. */
import { quote } from '../../data/files/text.js'
import { InputError } from '../../error.js'
import type { Texts } from './sequences.js'

export interface Pair {
  /** What the file calls it. */
  readonly index?: string
  readonly first: string
  readonly second: string
  /** From 1. */
  readonly line: number
}

/** The columns and keys of the two sentences. */
export const PAIR_NAMES = {
  index: ['index', 'pairid', 'id'],
  first: ['sentence1', 'premise', 'text1', 'sentence_1'],
  second: ['sentence2', 'hypothesis', 'text2', 'sentence_2'],
} as const

export function pairTexts({ first, second }: Pair): Texts {
  return [first, second]
}

/** By which a pair is the same as another, in whatever order. */
export function pairKey({ first, second }: Pair): string {
  return [first, second].sort().join('\t')
}

/** Two sentences with a tab between them; none of an empty line. Throws an InputError for anything else. */
export function parsePair(text: string, place: { file: string; line: number }): Pair[] {
  if (text.trim() === '') return []
  const sentences = text.split('\t')
  if (sentences.length !== 2 || sentences.some((sentence) => sentence.trim() === ''))
    throw new InputError({ ...place, found: quote(text), expected: 'two sentences, a tab between them' })
  return [{ first: sentences[0], second: sentences[1], line: place.line }]
}

/** A line of `predict` as keys of JSON. */
export function pairKeys(line: string): Record<string, string> {
  const [sentence1, sentence2 = ''] = line.split('\t')
  return { sentence1, sentence2 }
}
