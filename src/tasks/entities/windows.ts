/**
 * From labelled words to model inputs and back: `[CLS] pieces [SEP]`, the label of a word at its first piece,
 * words tracked by index and never rejoined from strings. A sentence of more pieces than fit is cut at word
 * boundaries into overlapping windows; the windows' scored words divide the sentence, each overlap at its
 * middle, so that every word is trained once, scored once, and has context on both sides. Both are checked.
 */

import type { Example } from '../../model/head.js'
import type { PieceTokenizer } from '../task.js'

/** What the windows need of a tokenizer. */
export type WordTokenizer = Pick<PieceTokenizer, 'special' | 'encodeWords'>

/** One model input of n <= maxLength pieces, of which some words are trained and scored: at the first pieces of each. */
export interface NerExample extends Example {
  /** [scored] Index of those words in the sentence, consecutive. */
  readonly words: Int32Array
}

export interface WindowOptions {
  /** Pieces by which a window moves on, at most what a window holds; default three quarters of that. */
  stride?: number
}

/**
 * The windows of one sentence: one where it fits into maxLength pieces with [CLS] and [SEP], none for a
 * sentence without words. A single word of more pieces than a window holds is cut to its first pieces.
 * Throws RangeError for a maxLength under 3 or a stride outside [1, maxLength - 2].
 */
export function windows(
  sentenceWords: string[],
  sentence: number,
  tokenizer: WordTokenizer,
  maxLength: number,
  options: WindowOptions = {},
): NerExample[] {
  const budget = maxLength - 2
  if (!(Number.isInteger(maxLength) && budget >= 1)) {
    throw new RangeError(`windows: maxLength is ${maxLength} (want an integer >= 3)`)
  }
  const stride = options.stride ?? Math.max(1, Math.floor((budget * 3) / 4))
  if (!(Number.isInteger(stride) && stride >= 1 && stride <= budget)) {
    throw new RangeError(`windows: stride is ${stride} (want an integer in [1, ${budget}])`)
  }
  const count = sentenceWords.length
  if (count === 0) return []
  const { ids, starts } = capped(tokenizer.encodeWords(sentenceWords), count, budget)

  const examples: NerExample[] = []
  let first = 0
  let scored = 0
  for (;;) {
    let end = first
    while (end < count && starts[end + 1] - starts[first] <= budget) end++
    let next = end
    let scoredEnd = end
    if (end < count) {
      // The next window must reach past this one, and leaves no word between them out.
      next = first + 1
      while (next < end && (starts[next] < starts[first] + stride || starts[end + 1] - starts[next] > budget))
        next++
      scoredEnd = Math.floor((next + end) / 2)
    }
    examples.push(example(ids, starts, first, end, scored, scoredEnd, sentence, tokenizer))
    if (end === count) break
    scored = scoredEnd
    first = next
  }
  assertScoredOnce(examples, sentence, count)
  return examples
}

/** The windows of all sentences, in order. Every word of every sentence is scored exactly once. */
export function windowSentences(
  sentences: readonly { words: string[] }[],
  tokenizer: WordTokenizer,
  maxLength: number,
  options: WindowOptions = {},
): NerExample[] {
  return sentences.flatMap(({ words }, sentence) => windows(words, sentence, tokenizer, maxLength, options))
}

/**
 * Predicted tags by sentence from label indices by window: `predicted[e][k]` is the label of word
 * `examples[e].words[k]`. Throws if a word of a sentence has no prediction, or two.
 */
export function gatherTags(
  sentences: readonly { words: string[] }[],
  examples: readonly NerExample[],
  predicted: readonly ArrayLike<number>[],
  labels: readonly string[],
): string[][] {
  if (predicted.length !== examples.length) {
    throw new Error(`gatherTags: ${predicted.length} predictions for ${examples.length} windows`)
  }
  const tags: (string | undefined)[][] = sentences.map(({ words }) => new Array(words.length).fill(undefined))
  examples.forEach(({ item: sentence, words }, e) => {
    if (predicted[e].length !== words.length) {
      throw new Error(
        `gatherTags: ${predicted[e].length} labels for the ${words.length} words of window ${e}`,
      )
    }
    words.forEach((word, k) => {
      const tag = labels[predicted[e][k]]
      if (tag === undefined)
        throw new Error(`gatherTags: label ${predicted[e][k]} of ${labels.length} in window ${e}`)
      if (tags[sentence][word] !== undefined)
        throw new Error(`gatherTags: sentence ${sentence}, word ${word} twice`)
      tags[sentence][word] = tag
    })
  })
  return tags.map((row, sentence) =>
    row.map((tag, word) => {
      if (tag === undefined) throw new Error(`gatherTags: sentence ${sentence}, word ${word} was not scored`)
      return tag
    }),
  )
}

/** Pieces with every word cut to `budget` of them, and `starts [count + 1]`: where each word's pieces begin. */
function capped(
  encoded: { ids: Int32Array; wordOf: Int32Array },
  count: number,
  budget: number,
): { ids: Int32Array; starts: Int32Array } {
  const ids = new Int32Array(encoded.ids.length)
  const starts = new Int32Array(count + 1)
  let kept = 0
  let word = -1
  for (let i = 0; i < encoded.ids.length; i++) {
    if (encoded.wordOf[i] !== word) {
      if (encoded.wordOf[i] !== word + 1) {
        throw new Error(`windows: piece ${i} is of word ${encoded.wordOf[i]} after word ${word}`)
      }
      word++
      starts[word] = kept
    }
    if (kept - starts[word] < budget) ids[kept++] = encoded.ids[i]
  }
  if (word !== count - 1) throw new Error(`windows: pieces for ${word + 1} of ${count} words`)
  starts[count] = kept
  return { ids, starts }
}

function example(
  ids: Int32Array,
  starts: Int32Array,
  first: number,
  end: number,
  scored: number,
  scoredEnd: number,
  sentence: number,
  tokenizer: WordTokenizer,
): NerExample {
  const from = starts[first]
  const pieces = ids.subarray(from, starts[end])
  const input = new Int32Array(pieces.length + 2)
  input[0] = tokenizer.special.cls
  input.set(pieces, 1)
  input[input.length - 1] = tokenizer.special.sep
  const words = Int32Array.from({ length: scoredEnd - scored }, (_, k) => scored + k)
  return { ids: input, scored: words.map((word) => starts[word] - from + 1), words, item: sentence }
}

function assertScoredOnce(examples: NerExample[], sentence: number, count: number): void {
  let next = 0
  for (const { words } of examples) {
    for (const word of words) {
      if (word !== next) throw new Error(`windows: sentence ${sentence} scores word ${word}, want ${next}`)
      next++
    }
  }
  if (next !== count) throw new Error(`windows: sentence ${sentence} scores ${next} of ${count} words`)
}
