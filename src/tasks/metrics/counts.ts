/**
 * Counts of something that can be found, missed or made up (a class, a label, an entity) and what follows from them:
 *
 *   precision = correct / predicted   recall = correct / gold   F1 = 2 correct / (predicted + gold)
 *
 * as fractions, each 0 where its divisor is (scikit-learn's zero_division=0). F1 is the harmonic mean of the other two.
 */

export interface Counts {
  /** In the gold data, in the predictions, and in both. */
  gold: number
  predicted: number
  correct: number
  precision: number
  recall: number
  f1: number
}

/** Counts with their precision, recall and F1. */
export function countsOf(correct: number, predicted: number, gold: number): Counts {
  return {
    gold,
    predicted,
    correct,
    precision: predicted === 0 ? 0 : correct / predicted,
    recall: gold === 0 ? 0 : correct / gold,
    f1: gold + predicted === 0 ? 0 : (2 * correct) / (gold + predicted),
  }
}

/** Micro average: several counts added up. */
export function addCounts(rows: readonly Counts[]): Counts {
  const add = (of: (row: Counts) => number) => rows.reduce((sum, row) => sum + of(row), 0)
  return countsOf(
    add(({ correct }) => correct),
    add(({ predicted }) => predicted),
    add(({ gold }) => gold),
  )
}

/** Macro average: the plain mean of their F1; 0 of none. */
export function meanF1(rows: readonly Counts[]): number {
  return rows.length === 0 ? 0 : rows.reduce((sum, { f1 }) => sum + f1, 0) / rows.length
}
