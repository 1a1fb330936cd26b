/**
 * Labels raw text: every line is a paragraph, split into sentences and words, and comes back as one labelled text
 * with offsets into the line. Sentences of many lines are tagged together, so that batches are full.
 */
import type { Span } from '../../data/corpus/sentences.js'
import { sentenceSpans } from '../../data/corpus/sentences.js'
import { splitWords, type Word } from '../../data/corpus/words.js'
import type { NerTagger } from './predictor.js'

/** One sentence of a line; offsets of the words count from the start of the line, in UTF-16 units. */
export interface LabelledSentence {
  readonly words: Word[]
  readonly tags: string[]
  /** Probabilities of the tags. */
  readonly scores: Float32Array
}

export interface LabelledLine {
  readonly text: string
  readonly sentences: LabelledSentence[]
}

/** Labels lines in one go. A line without a visible character has no sentences. */
export async function labelLines(tagger: NerTagger, lines: readonly string[]): Promise<LabelledLine[]> {
  const split = lines.map((text) =>
    sentenceSpans(text)
      .map((span) => wordsOf(text, span))
      .filter((words) => words.length > 0),
  )
  const sentences = split.flat().map((words) => ({ words: words.map(({ text }) => text) }))
  const { tags, scores } = await tagger.tag(sentences)
  let next = 0
  return lines.map((text, i) => ({
    text,
    sentences: split[i].map((words) => ({ words, tags: tags[next], scores: scores[next++] })),
  }))
}

function wordsOf(text: string, { start, end }: Span): Word[] {
  return splitWords(text.slice(start, end)).map((word) => ({
    text: word.text,
    start: start + word.start,
    end: start + word.end,
  }))
}

/** A line as one text. Nothing reaches across sentences: an I that opens one stands for the B that it means. */
export function joinSentences({ text, sentences }: LabelledLine): {
  text: string
  words: Word[]
  tags: string[]
  scores: number[]
} {
  return {
    text,
    words: sentences.flatMap(({ words }) => words),
    tags: sentences.flatMap(({ tags }) => tags.map((tag, i) => (i === 0 ? tag.replace(/^I/, 'B') : tag))),
    scores: sentences.flatMap(({ scores }) => [...scores]),
  }
}
