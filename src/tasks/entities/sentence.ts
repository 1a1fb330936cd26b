/** What a file of named entities is made of: read by reader.ts, its tags told apart by tag_scheme.ts. */

/** One sentence; `tags[i]` belongs to `words[i]`. */
export interface NerSentence {
  words: string[]
  tags: string[]
  /** Line of the first word, from 1. */
  line: number
}
