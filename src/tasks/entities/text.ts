/**
 * Raw text to sentences of words and back: every line is a paragraph, split into sentences and words, and comes back as one
 * labelled text with offsets into the line.
 */
import { type Span, sentenceSpans } from '../../data/corpus/sentences.js'
import { splitWords, type Word } from '../../data/corpus/words.js'
import type { LabelledText } from './highlight.js'
import type { Sentence, TaggedSentence } from './sentence.js'

/** A sentence of a line; offsets of the words count from the start of the line, in UTF-16 units. */
export interface TextSentence extends Sentence {
  readonly spans: Word[]
}

/** The sentences of a line; none in a line without a visible character. */
export function textSentences(text: string, line: number): TextSentence[] {
  return sentenceSpans(text)
    .map((span) => wordsOf(text, span))
    .filter((spans) => spans.length > 0)
    .map((spans) => ({ words: spans.map(({ text }) => text), spans, line }))
}

function wordsOf(text: string, { start, end }: Span): Word[] {
  return splitWords(text.slice(start, end)).map((word) => ({
    text: word.text,
    start: start + word.start,
    end: start + word.end,
  }))
}

/** A line as one text. Nothing reaches across sentences: an I that opens one stands for the B that it means. */
export function joinSentences(
  text: string,
  sentences: readonly TextSentence[],
  answers: readonly TaggedSentence[],
): LabelledText & { scores: number[] } {
  return {
    text,
    words: sentences.flatMap(({ spans }) => spans),
    tags: answers.flatMap(({ tags }) => tags.map((tag, i) => (i === 0 ? tag.replace(/^I/, 'B') : tag))),
    scores: answers.flatMap(({ scores }) => [...scores]),
  }
}
