/**
 * What is asked and what is answered. A question has one text, or the snippets that BioASQ gives with it, and answers that stand
 * in a text: offsets count UTF-16 units here, Unicode characters in the files. Made by squad.ts, bioasq.ts and pairs.ts.
 */

/** An answer where it stands: context.slice(start, start + text.length) is text. */
export interface Span {
  readonly text: string
  readonly start: number
}

export interface Passage {
  readonly context: string
  /** Answers to learn from, the preferred one first; none where the text has none that can be pointed at. */
  readonly answers: readonly Span[]
}

/** How a question is answered and scored: a span of its text, a ranked list from all its snippets, or yes and no. */
export type Kind = 'squad' | 'bioasq' | 'yesno'

export interface Question {
  readonly kind: Kind
  readonly id: string
  readonly question: string
  readonly passages: readonly Passage[]
  /** Right answers, or all synonyms of them; none where there is no answer, absent where nothing is known. */
  readonly gold?: readonly string[]
  /** Of questions that are divided, those of one group (an article, a text) stay together. */
  readonly group?: number
}

export interface Candidate {
  readonly text: string
  /** P(first piece) P(last piece) in the window that it was found in; of yes and no the class's. */
  readonly probability: number
  /** Index of its text, and where it stands there; absent for yes and no. */
  readonly passage?: number
  readonly start?: number
}

export interface Answer {
  /** The best answer; empty where there is none. */
  readonly text: string
  readonly probability: number
  /** Best first. */
  readonly nBest: readonly Candidate[]
  /** log P(no answer) - log P(best answer), in the window that has least of it; absent for yes and no. */
  readonly noAnswer?: number
}

/** Outputs of the head of spans and of the classifier. */
export const SPAN_LABELS: readonly string[] = ['start', 'end']
export const YES_NO: readonly string[] = ['yes', 'no']

export function isYesNo(labels: readonly string[]): boolean {
  return labels.length === YES_NO.length && YES_NO.every((label) => labels.includes(label))
}
