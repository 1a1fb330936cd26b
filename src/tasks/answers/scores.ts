/**
 * Scores of answers under the names that scripts read, by what the questions are. `score` is the one that checkpoints are chosen
 * by, and `measure` says which it is: word F1 of SQuAD, lenient accuracy of BioASQ's factoid questions (the papers' choice),
 * accuracy of yes and no.
 */
import { answerF1, type SpanScores, scoreAnswers } from '../metrics/answers.js'
import { rankOf, scoreFactoids, scoreYesNo, type YesNo } from '../metrics/bioasq.js'
import type { Scores, Tally } from '../task.js'
import { type Answer, isYesNo, type Kind, type Question } from './question.js'

export type Measure = 'f1' | 'lenient_accuracy' | 'accuracy'

/** What all kinds have; their own scores stand beside. */
export interface AnswersScores extends Scores {
  readonly score: number
  readonly measure: Measure
  readonly questions: number
  /** Questions with an answer, and how many different answers there are. */
  readonly answered: number
  readonly distinct: number
}

export function scoreQuestions(
  questions: readonly Question[],
  answers: readonly Answer[],
  labels: readonly string[],
): AnswersScores {
  const texts = answers.map(({ text }) => text)
  const gold = questions.map(goldOf)
  const answered = texts.filter((text) => text !== '')
  const common = { questions: questions.length, answered: answered.length, distinct: new Set(answered).size }
  switch (kindOf(questions, labels)) {
    case 'yesno': {
      const { accuracy, macroF1, yesF1, noF1 } = scoreYesNo(gold.map(firstYesNo), texts.map(yesNoOrNull))
      const own = { accuracy, macro_f1: macroF1, yes_f1: yesF1, no_f1: noF1 }
      return { score: accuracy, measure: 'accuracy', ...own, ...common }
    }
    case 'bioasq': {
      const ranked = answers.map(({ nBest }) => nBest.map(({ text }) => text))
      const { strictAccuracy, lenientAccuracy, meanReciprocalRank } = scoreFactoids(gold, ranked)
      const own = {
        strict_accuracy: strictAccuracy,
        lenient_accuracy: lenientAccuracy,
        mrr: meanReciprocalRank,
      }
      return { score: lenientAccuracy, measure: 'lenient_accuracy', ...own, ...common }
    }
    case 'squad': {
      const all = scoreAnswers(gold, texts)
      const parts = {
        ...(all.hasAnswer ? { has_answer: spanScores(all.hasAnswer) } : {}),
        ...(all.noAnswer ? { no_answer: spanScores(all.noAnswer) } : {}),
      }
      return { score: all.f1, measure: 'f1', exact: all.exactMatch, f1: all.f1, ...parts, ...common }
    }
  }
}

/** [what the question adds to the measure, 1]. */
export function tallyQuestions(
  questions: readonly Question[],
  answers: readonly Answer[],
  labels: readonly string[],
): Tally[] {
  const kind = kindOf(questions, labels)
  return questions.map((question, i) => {
    const gold = goldOf(question)
    const { text, nBest } = answers[i]
    if (kind === 'squad') return [answerF1(gold, text), 1]
    if (kind === 'yesno') return [gold[0] === text ? 1 : 0, 1]
    return [
      rankOf(
        gold,
        nBest.map((one) => one.text),
      ) > 0
        ? 1
        : 0,
      1,
    ]
  })
}

const NAMES: readonly [key: string, name: string][] = [
  ['exact', 'exact match'],
  ['f1', 'word F1'],
  ['has_answer.exact', 'exact match where there is an answer'],
  ['has_answer.f1', 'word F1 where there is an answer'],
  ['no_answer.f1', 'right where there is none'],
  ['strict_accuracy', 'strict accuracy (first answer)'],
  ['lenient_accuracy', 'lenient accuracy (first five)'],
  ['mrr', 'mean reciprocal rank'],
  ['accuracy', 'accuracy'],
  ['macro_f1', 'macro F1 of yes and no'],
  ['yes_f1', 'F1 of yes'],
  ['no_f1', 'F1 of no'],
]

/** Rows of a table, those that any of the columns has. */
export function scoreRows(columns: readonly Scores[]): string[][] {
  const rows = NAMES.map(([key, name]) => [name, ...columns.map((scores) => percent(at(scores, key)))])
  const count = (key: string) => columns.map((scores) => (scores[key] as number).toLocaleString('en-US'))
  return [
    ...rows.filter(([, ...cells]) => cells.some((cell) => cell !== '')),
    ['questions', ...count('questions')],
    ['questions answered', ...count('answered')],
  ]
}

export function shortScores(scores: AnswersScores): string {
  const value = (key: string) => percent(at(scores, key))
  if (scores.measure === 'accuracy') return `accuracy ${value('accuracy')} macro F1 ${value('macro_f1')}`
  if (scores.measure === 'f1') return `EM ${value('exact')} F1 ${value('f1')}`
  return `strict ${value('strict_accuracy')} lenient ${value('lenient_accuracy')} MRR ${value('mrr')}`
}

export function collapsedScores({
  questions,
  answered,
  distinct,
  measure,
}: AnswersScores): string | undefined {
  if (questions === 0) return undefined
  if (answered === 0) return 'answered no question'
  if (distinct > 1 || questions === 1) return undefined
  return measure === 'accuracy' ? 'gave every question the same class' : 'gave every question the same answer'
}

export function kindOf(questions: readonly Question[], labels: readonly string[]): Kind {
  if (isYesNo(labels)) return 'yesno'
  return questions.some(({ kind }) => kind === 'bioasq') ? 'bioasq' : 'squad'
}

function goldOf({ gold, id }: Question): readonly string[] {
  if (gold === undefined) throw new Error(`question ${id} has no answer to score by`)
  return gold
}

function firstYesNo([answer]: readonly string[]): YesNo {
  return answer === 'yes' ? 'yes' : 'no'
}

function yesNoOrNull(text: string): YesNo | null {
  return text === 'yes' || text === 'no' ? text : null
}

function spanScores({ questions, exactMatch: exact, f1 }: SpanScores) {
  return { questions, exact, f1 }
}

function at(scores: Scores, key: string): unknown {
  return key.split('.').reduce<unknown>((value, name) => (value as Scores | undefined)?.[name], scores)
}

function percent(value: unknown): string {
  return typeof value === 'number' ? (100 * value).toFixed(2) : ''
}
