/**
 * Scores of answers that are a piece of a text, as the evaluation script of SQuAD 2.0 has them:
 *
 *   normalised: lower case; ASCII punctuation dropped; the words a, an, the dropped; white space made single
 *   exact match = normalised prediction is a normalised gold answer
 *   F1 = 2 common / (predicted + gold words), words common with their multiplicity, the best over the gold answers
 *
 * Where one side has no words, F1 is 1 if both have none, else 0. (SQuAD 1.1's script gives 0 also for both, which takes a
 * gold answer of articles and punctuation alone; there both scripts agree but for that.) A question without an answer is
 * answered right by the empty text alone.
 */

/** Gold answers of a question: none where it has no answer. */
export type GoldAnswers = readonly string[]

export interface SpanScores {
  questions: number
  /** Means over the questions; 0 without questions. */
  exactMatch: number
  f1: number
}

export interface AnswerScores extends SpanScores {
  /** Over the questions that have an answer and over those that have none; absent where all have one. */
  hasAnswer?: SpanScores
  noAnswer?: SpanScores
}

// ASCII punctuation as Python's string.punctuation has it: also what Unicode calls symbols, such as $ + < = > ^ ` | ~.
const punctuation = /[!-/:-@[-`{-~]/g
// A word ends where Python's \b sees an end: at what is neither letter, number nor underscore of any script, so that the
// a of "aβ" is no article.
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu

/** What answers are compared by. */
export function normalizeAnswer(text: string): string {
  return words(text).join(' ')
}

function words(text: string): string[] {
  const bare = text.toLowerCase().replace(punctuation, '').replace(articles, ' ')
  return bare.split(/\p{White_Space}+/u).filter((word) => word !== '')
}

/** Gold answers that have words left; without any the empty text is the one right answer. */
function expected(gold: GoldAnswers): readonly string[] {
  const answers = gold.filter((answer) => words(answer).length > 0)
  return answers.length > 0 ? answers : ['']
}

/** 1 where the prediction is one of the gold answers, else 0; '' says that there is no answer. */
export function exactMatch(gold: GoldAnswers, predicted: string): number {
  const text = normalizeAnswer(predicted)
  return expected(gold).some((answer) => normalizeAnswer(answer) === text) ? 1 : 0
}

/** Word F1 with the gold answer that fits best. */
export function answerF1(gold: GoldAnswers, predicted: string): number {
  const found = words(predicted)
  return Math.max(...expected(gold).map((answer) => wordF1(words(answer), found)))
}

function wordF1(gold: readonly string[], predicted: readonly string[]): number {
  if (gold.length === 0 || predicted.length === 0) return gold.length === predicted.length ? 1 : 0
  const left = new Map<string, number>()
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1)
  let common = 0
  for (const word of predicted) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    common++
    left.set(word, count - 1)
  }
  return (2 * common) / (gold.length + predicted.length)
}

/** Scores `predicted[q]` against the answers of question q; throws on other lengths. */
export function scoreAnswers(gold: readonly GoldAnswers[], predicted: readonly string[]): AnswerScores {
  checkLengths('scoreAnswers', gold.length, predicted.length)
  const scores = gold.map(
    (answers, q): QuestionScore => ({
      answerable: answers.length > 0,
      exact: exactMatch(answers, predicted[q]),
      f1: answerF1(answers, predicted[q]),
    }),
  )
  if (scores.every(({ answerable }) => answerable)) return spanScores(scores)
  return {
    ...spanScores(scores),
    hasAnswer: spanScores(scores.filter(({ answerable }) => answerable)),
    noAnswer: spanScores(scores.filter(({ answerable }) => !answerable)),
  }
}

interface QuestionScore {
  answerable: boolean
  exact: number
  f1: number
}

function spanScores(scores: readonly QuestionScore[]): SpanScores {
  const n = scores.length
  const mean = (of: (score: QuestionScore) => number) =>
    n === 0 ? 0 : scores.reduce((sum, score) => sum + of(score), 0) / n
  return { questions: n, exactMatch: mean(({ exact }) => exact), f1: mean(({ f1 }) => f1) }
}

/** Best scores that a threshold on the null-score difference reaches, and the thresholds. */
export interface BestThresholds {
  exactMatch: number
  exactThreshold: number
  f1: number
  f1Threshold: number
}

/**
 * A question is answered with its best text where `differences[q] <= threshold` (score of no answer minus score of the best
 * text), else with ''. Thresholds are differences that occur, or 1 below the least one where it is best to answer nothing; of
 * equally good ones the lowest. The script of SQuAD 2.0 walks question by question, so that among equal differences it can
 * report a score that no threshold reaches, and it names 0 where nothing is answered; otherwise best_exact and best_f1 are these.
 */
export function bestThresholds(
  gold: readonly GoldAnswers[],
  texts: readonly string[],
  differences: ArrayLike<number>,
): BestThresholds {
  checkLengths('bestThresholds', gold.length, texts.length)
  checkLengths('bestThresholds', gold.length, differences.length)
  const exact = bestThreshold(gold, texts, differences, exactMatch)
  const f1 = bestThreshold(gold, texts, differences, answerF1)
  return {
    exactMatch: exact.score,
    exactThreshold: exact.threshold,
    f1: f1.score,
    f1Threshold: f1.threshold,
  }
}

function bestThreshold(
  gold: readonly GoldAnswers[],
  texts: readonly string[],
  differences: ArrayLike<number>,
  score: (gold: GoldAnswers, predicted: string) => number,
): { score: number; threshold: number } {
  const n = gold.length
  if (n === 0) return { score: 0, threshold: 0 }
  const order = Uint32Array.from(gold.keys()).sort((i, j) => differences[i] - differences[j])
  let sum = gold.reduce((right, answers) => right + score(answers, ''), 0)
  let best = sum
  let threshold = differences[order[0]] - 1
  order.forEach((q, i) => {
    sum += score(gold[q], texts[q]) - score(gold[q], '')
    if (i + 1 < n && differences[order[i + 1]] === differences[q]) return
    if (sum <= best) return
    best = sum
    threshold = differences[q]
  })
  return { score: best / n, threshold }
}

function checkLengths(name: string, questions: number, found: number): void {
  if (found !== questions) throw new Error(`${name}: ${found} answers, want ${questions}`)
}
