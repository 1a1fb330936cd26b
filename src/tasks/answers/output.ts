/**
 * Answers as they are written: the predictions file and what `predict` prints. Predictions of spans are { id: text }, as the
 * evaluation scripts of SQuAD read them; those of BioASQ are its form of a submission. What else was considered stands beside
 * under `n_best`, which both pass over. Offsets count Unicode characters, as in the data.
 */

import { rankedAnswers } from '../metrics/bioasq.js'
import { codePoints, printable } from '../shared/printable.js'
import type { Answer, Candidate, Question } from './question.js'
import { kindOf } from './scores.js'

/** The text of the predictions file. */
export function predictionsJson(
  questions: readonly Question[],
  answers: readonly Answer[],
  labels: readonly string[],
): string {
  const kind = kindOf(questions, labels)
  const value =
    kind === 'squad'
      ? squadPredictions(questions, answers)
      : { questions: questions.map((question, i) => submission(question, answers[i], kind === 'yesno')) }
  return `${JSON.stringify(value, undefined, 1)}\n`
}

function squadPredictions(questions: readonly Question[], answers: readonly Answer[]) {
  const texts = questions.map(({ id }, i) => [id, answers[i].text] as const)
  const details = questions.map(({ id, question, gold, passages }, i) => {
    const { nBest, noAnswer } = answers[i]
    return [
      id,
      {
        question,
        ...(gold && { gold }),
        no_answer: rounded(noAnswer ?? 0),
        answers: nBest.map((one) => shown(one, passages)),
      },
    ] as const
  })
  return { ...Object.fromEntries(texts), n_best: Object.fromEntries(details) }
}

function submission({ id, question, gold, passages }: Question, { text, nBest }: Answer, yesNo: boolean) {
  const ranked = nBest.slice(0, rankedAnswers).map((one) => [one.text])
  return {
    id,
    body: question,
    type: yesNo ? 'yesno' : 'factoid',
    exact_answer: yesNo ? text : ranked,
    ...(gold && { gold }),
    n_best: nBest.map((one) => shown(one, passages)),
  }
}

function shown({ text, probability, passage, start }: Candidate, passages: Question['passages']) {
  const found = { text, probability: rounded(probability) }
  if (passage === undefined || start === undefined) return found
  const { context } = passages[passage]
  const place = { start: codePoints(context, start), end: codePoints(context, start + text.length) }
  return passages.length > 1 ? { ...found, snippet: passage, ...place } : { ...found, ...place }
}

function rounded(value: number): number {
  return Number(value.toPrecision(6))
}

/** `answer<TAB>probability`, the answer empty where there is none. */
export function answerLine({ text, probability }: Answer): string {
  return `${printable(text).replace(/\s+/g, ' ')}\t${probability.toFixed(4)}`
}

/** One line of JSON with all that was considered. */
export function answerJson({ question, passages }: Question, { text, probability, nBest }: Answer): string {
  return JSON.stringify({
    question,
    answer: text,
    probability: rounded(probability),
    n_best: nBest.map((one) => shown(one, passages)),
  })
}
