/** What the task of named entities is about: sentences, and what comes out for them. */
import type { EntitySpan } from '../metrics/entities.js'

/** One sentence; `tags[i]`, in IOB2, belongs to `words[i]`. Without tags it is one to be labelled. */
export interface Sentence {
  readonly words: string[]
  readonly tags?: string[]
  /**
   * Every gold mention that begins in it, where the annotation has some that tags cannot say; null for one that is no run of
   * whole words (discontinuous, cut through a word, across two sentences). The tags are what is trained on.
   */
  readonly mentions?: readonly (EntitySpan | null)[]
  /** Line of the first word, from 1. */
  readonly line: number
}

/** One sentence of a file: read by reader.ts, its tags told apart by tag_scheme.ts. */
export interface NerSentence extends Sentence {
  readonly tags: string[]
}

/** A tag for every word, and the probability of each in [0, 1]. */
export interface TaggedSentence {
  readonly tags: string[]
  readonly scores: Float32Array
}
