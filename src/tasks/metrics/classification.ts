/** Scores of single-label classification: accuracy and the confusion matrix. Fractions in [0, 1]. */

export interface ClassificationScores {
  examples: number
  correct: number
  /** correct / examples; 0 without examples. */
  accuracy: number
  /** [classes][classes] examples by gold class (row) and predicted class (column). */
  confusion: number[][]
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
