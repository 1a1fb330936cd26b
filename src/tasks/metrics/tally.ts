/**
 * Scores from tallies, terms that add up over units (sentences, documents, questions, pairs), so that a resample of the units is
 * scored from a sum: makers of one unit's tally where that is more than a list of counts, and the rate of a sum.
 *
 *   ratio    [right, n]                       right / n              accuracy, mean F1, MRR
 *   F1       [correct, predicted, gold]       2 c / (p + g)          entities, micro F1
 *   macro F1 [c1, p1, g1, c2, p2, g2, ...]    mean of the K F1s
 *   Pearson  [n, Sx, Sy, Sxx, Syy, Sxy]       (n Sxy - Sx Sy) / sqrt((n Sxx - Sx^2) (n Syy - Sy^2))
 *
 * F1s and ratios are 0 where their divisor is; Pearson is null where it does not exist.
 */
import type { Tally } from '../task.js'

/** right / n of [right, n]. */
export function ratioOfTally([right, n]: Tally): number {
  return n === 0 ? 0 : right / n
}

/** F1 of [correct, predicted, gold]. */
export function f1OfTally([correct, predicted, gold]: Tally): number {
  return predicted + gold === 0 ? 0 : (2 * correct) / (predicted + gold)
}

/** Tally for micro F1 over the classes that are not negative, of one example: [correct, predicted, gold]. */
export function classTally(gold: number, predicted: number, negative: readonly number[] = []): Tally {
  const wanted = negative.includes(gold) ? 0 : 1
  const found = negative.includes(predicted) ? 0 : 1
  return [wanted === 1 && gold === predicted ? 1 : 0, found, wanted]
}

/** Tally for macro F1, of one example of K classes: [correct, predicted, gold] of each class, one after the other. */
export function macroTally(gold: number, predicted: number, classes: number): Tally {
  const tally = new Array<number>(3 * classes).fill(0)
  if (gold === predicted) tally[3 * gold]++
  tally[3 * predicted + 1]++
  tally[3 * gold + 2]++
  return tally
}

/** Mean F1 of the K classes of such tallies; 0 without classes. */
export function macroF1OfTally(sum: Tally): number {
  let f1 = 0
  for (let k = 0; k < sum.length; k += 3) f1 += f1OfTally([sum[k], sum[k + 1], sum[k + 2]])
  return sum.length === 0 ? 0 : f1 / (sum.length / 3)
}

/**
 * Tally of one pair for Pearson. Values are taken from `centre`, which changes no correlation and loses no digits where it is
 * near the mean; all pairs of a set must have the same.
 */
export function pearsonTally(x: number, y: number, centre: readonly [x: number, y: number] = [0, 0]): Tally {
  const dx = x - centre[0]
  const dy = y - centre[1]
  return [1, dx, dy, dx * dx, dy * dy, dx * dy]
}

/** Pearson of a sum of such tallies; null where one side does not vary by more than the sums are rounded by. */
export function pearsonOfTally([n, x, y, xx, yy, xy]: Tally): number | null {
  const varianceX = n * xx - x * x
  const varianceY = n * yy - y * y
  // A sum of n terms is off by up to n roundings of its size; with less left than that, what is left is rounding.
  const rounding = 4 * n * Number.EPSILON
  if (n < 2 || !(varianceX > rounding * n * xx) || !(varianceY > rounding * n * yy)) return null
  const r = (n * xy - x * y) / Math.sqrt(varianceX) / Math.sqrt(varianceY)
  return Math.max(-1, Math.min(1, r))
}
