/**
 * The measures of BioASQ's task B, phase B, as its program has them since BioASQ 5 (Evaluation-Measures, EvaluatorTask1b and
 * QuestionAnswerEvaluator). A factoid question is answered with a ranked list of at most five texts, which match if they are
 * equal to any gold synonym in lower case, and in nothing else: no punctuation, article or white space is forgiven.
 *
 *   strict accuracy   questions whose first answer matches / questions
 *   lenient accuracy  questions with an answer that matches / questions
 *   MRR               mean of 1 / rank of the first answer that matches, 0 where none does
 *
 * A yes/no question is right or wrong; per class F1 = 2 TP / (2 TP + FP + FN), 0 where that has no divisor. A question left
 * unanswered is wrong, and counts against both classes.
 */

/** Answers of a factoid question that count. */
export const rankedAnswers = 5

export interface FactoidScores {
  questions: number
  strictAccuracy: number
  lenientAccuracy: number
  meanReciprocalRank: number
}

/**
 * Scores ranked answers against the synonyms of each question, those of all its gold answers together. Answers past the fifth
 * are not looked at. All scores are 0 without questions. Throws on other lengths.
 */
export function scoreFactoids(
  gold: readonly (readonly string[])[],
  ranked: readonly (readonly string[])[],
): FactoidScores {
  checkLengths('scoreFactoids', gold.length, ranked.length)
  const places = gold.map((synonyms, q) => rankOf(synonyms, ranked[q]))
  const mean = (of: (rank: number) => number) =>
    places.length === 0 ? 0 : places.reduce((sum, rank) => sum + of(rank), 0) / places.length
  return {
    questions: gold.length,
    strictAccuracy: mean((rank) => (rank === 1 ? 1 : 0)),
    lenientAccuracy: mean((rank) => (rank > 0 ? 1 : 0)),
    meanReciprocalRank: mean((rank) => (rank > 0 ? 1 / rank : 0)),
  }
}

/** Rank from 1 of the first answer that matches; 0 where none of the first five does. */
export function rankOf(synonyms: readonly string[], ranked: readonly string[]): number {
  const wanted = new Set(synonyms.map((synonym) => synonym.toLowerCase()))
  return ranked.slice(0, rankedAnswers).findIndex((answer) => wanted.has(answer.toLowerCase())) + 1
}

export type YesNo = 'yes' | 'no'

export interface YesNoScores {
  questions: number
  correct: number
  accuracy: number
  yesF1: number
  noF1: number
  /** (yesF1 + noF1) / 2. */
  macroF1: number
}

/** Scores answers to yes/no questions; null is no answer. Throws on other lengths. */
export function scoreYesNo(gold: readonly YesNo[], predicted: readonly (YesNo | null)[]): YesNoScores {
  checkLengths('scoreYesNo', gold.length, predicted.length)
  const right = { yes: 0, no: 0 }
  gold.forEach((answer, q) => {
    if (answer === predicted[q]) right[answer]++
  })
  const correct = right.yes + right.no
  // A wrong question is a false positive of one class and a false negative of the other.
  const wrong = gold.length - correct
  const f1 = (answer: YesNo) => (right[answer] === 0 ? 0 : (2 * right[answer]) / (2 * right[answer] + wrong))
  return {
    questions: gold.length,
    correct,
    accuracy: gold.length === 0 ? 0 : correct / gold.length,
    yesF1: f1('yes'),
    noF1: f1('no'),
    macroF1: (f1('yes') + f1('no')) / 2,
  }
}

function checkLengths(name: string, questions: number, found: number): void {
  if (found !== questions) throw new Error(`${name}: ${found} answers, want ${questions}`)
}
