/**
 * ALBERT's masking: n-grams of one to three whole words, n with probability proportional to 1/n, until the
 * budget min(maxPredictions, max(1, round(p x length))) is used up; of the chosen pieces, each by itself, 80%
 * become [MASK], 10% stay, 10% become any piece of the vocabulary.
 * Source: google-research/albert create_pretraining_data.py, create_masked_lm_predictions.
 */
import type { Philox } from '../random.js'
import type { SpecialIds } from '../tokenizer/tokenizer_json.js'

const LARGEST = 3
/** Cumulative probabilities of n = 1, 2, 3: 6/11, 3/11, 2/11. */
const UP_TO_ONE = 6 / 11
const UP_TO_TWO = 9 / 11

export interface MaskingOptions {
  maxPredictions: number
  /** Share p of positions to predict. */
  probability: number
  /** V: random pieces are drawn from all of them. */
  vocabularySize: number
  special: SpecialIds
  /** [V] 1 where a piece starts a word. */
  startsWord: Uint8Array
}

/** Python's round(): half to even. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x)
  if (x - below === 0.5) return below % 2 === 0 ? below : below + 1
  return Math.round(x)
}

/** Number of pieces to predict in an instance of `length` pieces, special ones included. */
export function predictionBudget(length: number, options: MaskingOptions): number {
  return Math.min(options.maxPredictions, Math.max(1, roundHalfEven(length * options.probability)))
}

/** Masks instances of at most `maxLength` pieces in place; working memory is kept between calls. */
export class Masker {
  /** [maxPredictions] places and original ids of the last call, ascending. */
  readonly positions: Int32Array
  readonly labels: Int32Array
  private readonly pieces: Int32Array
  private readonly words: Int32Array
  private readonly order: Int32Array
  private readonly covered: Uint8Array
  private readonly original: Int32Array

  constructor(
    private readonly options: MaskingOptions,
    maxLength: number,
  ) {
    this.positions = new Int32Array(options.maxPredictions)
    this.labels = new Int32Array(options.maxPredictions)
    this.pieces = new Int32Array(maxLength)
    this.words = new Int32Array(maxLength + 1)
    this.order = new Int32Array(maxLength)
    this.covered = new Uint8Array(maxLength)
    this.original = new Int32Array(maxLength)
  }

  /** Masks ids[0..n) in place and answers k, the number of places in `positions` and `labels`. */
  mask(ids: Int32Array, n: number, random: Philox): number {
    const { special, startsWord } = this.options
    const { pieces, words, order, covered, positions } = this
    // Word w is made of the positions pieces[words[w] .. words[w + 1]).
    let pieceCount = 0
    let wordCount = 0
    for (let i = 0; i < n; i++) {
      const id = ids[i]
      this.original[i] = id
      covered[i] = 0
      if (id === special.cls || id === special.sep) continue
      if (wordCount === 0 || startsWord[id] === 1) {
        order[wordCount] = wordCount
        words[wordCount++] = pieceCount
      }
      pieces[pieceCount++] = i
    }
    words[wordCount] = pieceCount

    const budget = predictionBudget(n, this.options)
    let k = 0
    // Starts are taken in random order, shuffled only as far as they are needed.
    for (let taken = 0; taken < wordCount && k < budget; taken++) {
      const other = taken + random.integer(wordCount - taken)
      const word = order[other]
      order[other] = order[taken]
      order[taken] = word
      const u = random.uniform()
      let length = u < UP_TO_ONE ? 1 : u < UP_TO_TWO ? 2 : LARGEST
      length = Math.min(length, wordCount - word)
      const from = words[word]
      while (length > 1 && k + words[word + length] - from > budget) length--
      const to = words[word + length]
      if (k + to - from > budget || this.anyCovered(from, to)) continue
      for (let p = from; p < to; p++) {
        const position = pieces[p]
        covered[position] = 1
        positions[k++] = position
        ids[position] = this.replacement(ids[position], random)
      }
    }
    positions.subarray(0, k).sort()
    for (let i = 0; i < k; i++) this.labels[i] = this.original[positions[i]]
    return k
  }

  private anyCovered(from: number, to: number): boolean {
    for (let p = from; p < to; p++) if (this.covered[this.pieces[p]] === 1) return true
    return false
  }

  private replacement(id: number, random: Philox): number {
    const u = random.uniform()
    if (u < 0.8) return this.options.special.mask
    return u < 0.9 ? id : random.integer(this.options.vocabularySize)
  }
}
