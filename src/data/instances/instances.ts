/**
 * Pretraining instances of one document: whole sentences are gathered up to a target length, split in two at a random
 * sentence, made a pair, cut to S - 3 pieces, framed as [CLS] A [SEP] B [SEP] and masked.
 *
 * Pairs of ALBERT (`sop`, sentence order prediction): swapped with probability 0.5, label 1 where they are.
 * Pairs of BERT (`nsp`, next sentence prediction): B is the true continuation of A, label 0, or with probability 0.5
 * comes from a random place of a random other document, label 1 (its `is_random_next`), as many sentences as A leaves
 * room for in the target; the sentences that B would have been are then gathered anew. A chunk of one sentence always
 * gets a random B. The masking is ALBERT's for both (masking.ts): n-grams of whole words, `##` pieces with the word
 * that they continue; the first BERT masked single pieces.
 *
 * The draws of a document are a function of (seed, pass, document) alone.
 * Source: create_instances_from_document of create_pretraining_data.py in google-research/albert and google-research/bert.
 */

import { Philox } from '../random.js'
import type { Ids, TokenDocument } from './document_shard.js'
import { Masker, type MaskingOptions } from './masking.js'
import { type InstanceBuffer, SOURCES } from './shard.js'

/**
 * What a chunk of one sentence becomes: B from a random other document with label 1 (the original, which mixes
 * topic prediction into SOP), the sentence itself split in two, or nothing.
 */
export const SINGLE_SENTENCE = ['random_document', 'resplit', 'skip'] as const
export type SingleSentence = (typeof SINGLE_SENTENCE)[number]

/** What the second segment is to the first. */
export const PAIRS = ['sop', 'nsp'] as const
export type Pairs = (typeof PAIRS)[number]

/** First words of the random streams of (seed, ...). */
export const STREAM = { instances: 1, heldOut: 2, order: 3, shuffle: 4, pick: 5 } as const

export interface InstanceOptions extends MaskingOptions {
  seed: number
  /** S: most pieces of an instance, special ones included. */
  maxLength: number
  /** Probability of a target length uniform in [2, S - 3] in place of S - 3. */
  shortProbability: number
  /** Default sop. */
  pairs?: Pairs
  /** `resplit` is for sop. */
  singleSentence: SingleSentence
  /** A sentence source for `random_document` and nsp: documents by number, and how many there are. */
  documents: { count: number; document(index: number): TokenDocument }
  /** Documents that instances must not take sentences from. */
  isHeldOut?: (document: number) => boolean
}

const IN_ORDER = SOURCES.indexOf('in_order')
const SWAPPED = SOURCES.indexOf('swapped')
const RANDOM_DOCUMENT = SOURCES.indexOf('random_document')
const RESPLIT = SOURCES.indexOf('resplit')

/** A stretch of tokens that is cut from both ends. */
interface Span {
  tokens: Ids
  from: number
  to: number
}

export class InstanceMaker {
  private readonly random: Philox
  private readonly masker: Masker
  private readonly ids: Int32Array
  /** Chunks of one sentence that `skip` left out. */
  skipped = 0

  constructor(private readonly options: InstanceOptions) {
    this.random = new Philox(options.seed)
    this.masker = new Masker(options, options.maxLength)
    this.ids = new Int32Array(options.maxLength)
  }

  /** Adds the instances of document number `index` in pass `pass` to `out`. */
  make(document: TokenDocument, index: number, pass: number, out: InstanceBuffer): void {
    const { random } = this
    const { maxLength, shortProbability, pairs } = this.options
    random.restart(STREAM.instances, pass, index)
    const room = maxLength - 3
    let target = room
    if (random.uniform() < shortProbability) target = 2 + random.integer(room - 1)
    const { starts } = document
    const last = starts.length - 1
    let first = 0
    for (let end = 1; end <= last; end++) {
      if (end < last && starts[end] - starts[first] < target) continue
      let next = end
      if (end - first === 1) this.single(document, index, first, target, out)
      else if (pairs === 'nsp') next = this.nextOrRandom(document, index, first, end, target, out)
      else this.several(document, first, end, out)
      first = next
      end = next
    }
  }

  /** A pair for next sentence prediction out of sentences `first` to `end` - 1; answers the first that it left over. */
  private nextOrRandom(
    { tokens, starts }: TokenDocument,
    index: number,
    first: number,
    end: number,
    target: number,
    out: InstanceBuffer,
  ): number {
    const { random } = this
    const split = first + 1 + random.integer(end - first - 1)
    const a = { tokens, from: starts[first], to: starts[split] }
    if (random.uniform() < 0.5) {
      this.add(a, this.randomSpan(index, target - (a.to - a.from)), 1, RANDOM_DOCUMENT, out)
      return split
    }
    this.add(a, { tokens, from: starts[split], to: starts[end] }, 0, IN_ORDER, out)
    return end
  }

  private several(document: TokenDocument, first: number, end: number, out: InstanceBuffer): void {
    const { random } = this
    const { tokens, starts } = document
    const split = starts[first + 1 + random.integer(end - first - 1)]
    const head = { tokens, from: starts[first], to: split }
    const tail = { tokens, from: split, to: starts[end] }
    if (random.uniform() < 0.5) this.add(tail, head, 1, SWAPPED, out)
    else this.add(head, tail, 0, IN_ORDER, out)
  }

  private single(
    { tokens, starts }: TokenDocument,
    index: number,
    sentence: number,
    target: number,
    out: InstanceBuffer,
  ): void {
    const { random } = this
    const from = starts[sentence]
    const to = starts[sentence + 1]
    const { singleSentence } = this.options
    if (singleSentence === 'random_document') {
      this.add({ tokens, from, to }, this.randomSpan(index, target - (to - from)), 1, RANDOM_DOCUMENT, out)
    } else if (singleSentence === 'skip' || to - from < 2) {
      this.skipped++
    } else {
      const split = from + 1 + random.integer(to - from - 1)
      const head = { tokens, from, to: split }
      const tail = { tokens, from: split, to }
      if (random.uniform() < 0.5) this.add(tail, head, 1, RESPLIT, out)
      else this.add(head, tail, 0, RESPLIT, out)
    }
  }

  /** Sentences of another document from a random one on, until they hold `target` pieces. */
  private randomSpan(index: number, target: number): Span {
    const { random } = this
    const { documents, isHeldOut } = this.options
    let other = index
    for (let tries = 0; tries < 10; tries++) {
      other = random.integer(documents.count)
      for (let again = 0; again < 100 && isHeldOut?.(other); again++) other = random.integer(documents.count)
      if (other !== index) break
    }
    const { tokens, starts } = documents.document(other)
    const last = starts.length - 1
    const first = random.integer(last)
    let end = first + 1
    while (end < last && starts[end] - starts[first] < target) end++
    return { tokens, from: starts[first], to: starts[end] }
  }

  private add(a: Span, b: Span, sop: 0 | 1, source: number, out: InstanceBuffer): void {
    const { random, ids, options } = this
    const room = options.maxLength - 3
    // Pieces go one by one from the longer side, front or back by the toss of a coin.
    let bits = 0
    let left = 0
    while (a.to - a.from + b.to - b.from > room) {
      if (left === 0) {
        bits = random.word()
        left = 32
      }
      const longer = a.to - a.from > b.to - b.from ? a : b
      if (bits & 1) longer.from++
      else longer.to--
      bits >>>= 1
      left--
    }
    const { special } = options
    let n = 0
    ids[n++] = special.cls
    for (let i = a.from; i < a.to; i++) ids[n++] = a.tokens[i]
    ids[n++] = special.sep
    const splitAt = n
    for (let i = b.from; i < b.to; i++) ids[n++] = b.tokens[i]
    ids[n++] = special.sep
    const k = this.masker.mask(ids, n, random)
    out.add(ids, n, splitAt, sop, source, this.masker.positions, this.masker.labels, k)
  }
}
