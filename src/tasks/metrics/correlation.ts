/**
 * How well predicted numbers follow gold ones. With deviations dx = x - mean(x), dy = y - mean(y), taken in a second pass:
 *
 *   Pearson  = sum dx dy / sqrt(sum dx^2 sum dy^2)
 *   Spearman = Pearson of the ranks, equal values sharing the mean of their ranks
 *   mean squared error = mean (x - y)^2
 *
 * A correlation is null, never NaN, where it does not exist: fewer than two pairs, one side all the same value (a regressor that
 * has collapsed), or a value that is not finite.
 */

export interface CorrelationScores {
  pairs: number
  pearson: number | null
  spearman: number | null
  /** null without pairs or where a value is not finite. */
  meanSquaredError: number | null
}

/** Scores predicted numbers against gold ones; throws on other lengths. */
export function scoreCorrelation(gold: ArrayLike<number>, predicted: ArrayLike<number>): CorrelationScores {
  return {
    pairs: gold.length,
    pearson: pearson(gold, predicted),
    spearman: spearman(gold, predicted),
    meanSquaredError: meanSquaredError(gold, predicted),
  }
}

export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  checkLengths('pearson', x, y)
  const dx = deviations(x)
  const dy = deviations(y)
  if (dx === undefined || dy === undefined) return null
  let xx = 0
  let yy = 0
  let xy = 0
  for (let i = 0; i < dx.length; i++) {
    xx += dx[i] * dx[i]
    yy += dy[i] * dy[i]
    xy += dx[i] * dy[i]
  }
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx) / Math.sqrt(yy)))
}

export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  checkLengths('spearman', x, y)
  if (!allFinite(x) || !allFinite(y)) return null
  return pearson(ranks(x), ranks(y))
}

export function meanSquaredError(gold: ArrayLike<number>, predicted: ArrayLike<number>): number | null {
  checkLengths('meanSquaredError', gold, predicted)
  let sum = 0
  for (let i = 0; i < gold.length; i++) sum += (gold[i] - predicted[i]) ** 2
  const mean = sum / gold.length
  return Number.isFinite(mean) ? mean : null
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i)
  order.sort((i, j) => values[i] - values[j])
  const out = new Float64Array(values.length)
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]] === values[order[start]]) end++
    for (let k = start; k < end; k++) out[order[k]] = (start + 1 + end) / 2
  }
  return out
}

/**
 * Differences from the mean, the largest of which is made 1 so that no square overflows or vanishes: a correlation does not
 * change with scale. undefined where there are fewer than two values, all are the same, or one is not finite.
 */
function deviations(values: ArrayLike<number>): Float64Array | undefined {
  const n = values.length
  if (n < 2 || !allFinite(values)) return undefined
  // Differences from the first value are exactly 0 where all are the same, which those from a rounded mean need not be.
  const first = values[0]
  let mean = 0
  for (let i = 0; i < n; i++) mean += (values[i] - first) / n
  const out = Float64Array.from(values, (value) => value - first - mean)
  const largest = out.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  if (largest === 0 || !Number.isFinite(largest)) return undefined
  return out.map((value) => value / largest)
}

function allFinite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false
  return true
}

function checkLengths(name: string, gold: ArrayLike<number>, predicted: ArrayLike<number>): void {
  if (gold.length !== predicted.length) {
    throw new Error(`${name}: ${predicted.length} predictions, want ${gold.length}`)
  }
}
