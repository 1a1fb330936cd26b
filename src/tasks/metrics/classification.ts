/**
 * Scores of single-label classification: accuracy, the confusion matrix, and from it precision, recall and F1 of each class,
 * their plain mean, and micro F1 over the classes that are not negative, which is how relation extraction is scored (BLURB):
 *
 *   correct_k = C[k][k]   gold_k = sum_j C[k][j]   predicted_k = sum_i C[i][k]   (then as in counts.ts)
 *
 * Fractions in [0, 1].
 */
import { addCounts, type Counts, countsOf, meanF1 } from './counts.js'

export interface ClassificationScores {
  examples: number
  correct: number
  /** correct / examples; 0 without examples. */
  accuracy: number
  /** [classes][classes] examples by gold class (row) and predicted class (column). */
  confusion: number[][]
}

export interface ClassScores extends ClassificationScores {
  /** By label. */
  classes: Record<string, Counts>
  /** Mean F1 of all labels, also of those that never occur; scikit-learn's `macro` with all labels named. */
  macroF1: number
  /** Mean F1 of the labels that are not negative. */
  positiveMacroF1: number
  /**
   * Counts of the labels that are not negative, added up, and their scores. Without negative labels precision, recall and F1
   * are all the accuracy.
   */
  micro: Counts
}

/** Scores predicted class indices against gold ones; throws on other lengths or an index outside the classes. */
export function scoreClassification(
  gold: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ClassificationScores {
  if (gold.length !== predicted.length) {
    throw new Error(`scoreClassification: ${predicted.length} predictions, want ${gold.length}`)
  }
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  let correct = 0
  for (let i = 0; i < gold.length; i++) {
    if (confusion[gold[i]]?.[predicted[i]] === undefined) {
      throw new Error(`scoreClassification: gold ${gold[i]}, predicted ${predicted[i]} of ${classes} classes`)
    }
    confusion[gold[i]][predicted[i]]++
    if (gold[i] === predicted[i]) correct++
  }
  return {
    examples: gold.length,
    correct,
    accuracy: gold.length === 0 ? 0 : correct / gold.length,
    confusion,
  }
}

/**
 * The same with the scores of each label. `gold` and `predicted` are indices into `labels`; `negative` those of labels that
 * mean that nothing is there, such as `false` of ChemProt. Throws as above, and on a negative index outside the labels.
 */
export function scoreClasses(
  gold: ArrayLike<number>,
  predicted: ArrayLike<number>,
  labels: readonly string[],
  { negative = [] }: { negative?: readonly number[] } = {},
): ClassScores {
  for (const index of negative) {
    if (labels[index] === undefined)
      throw new Error(`scoreClasses: negative ${index} of ${labels.length} labels`)
  }
  const scores = scoreClassification(gold, predicted, labels.length)
  const rows = labels.map((_, k) => {
    const found = scores.confusion.reduce((n, row) => n + row[k], 0)
    return countsOf(scores.confusion[k][k], found, total(scores.confusion[k]))
  })
  const positive = rows.filter((_, k) => !negative.includes(k))
  return {
    ...scores,
    classes: Object.fromEntries(labels.map((label, k) => [label, rows[k]])),
    macroF1: meanF1(rows),
    positiveMacroF1: meanF1(positive),
    micro: addCounts(positive),
  }
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
