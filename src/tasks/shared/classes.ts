/** Logits of one row, [K], as a choice among K classes. */

/** Index of the largest value, the first among equals. */
export function largest(row: Float32Array): number {
  let best = 0
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i
  return best
}

/** softmax(row)[index], row[index] being the largest. */
export function probability(row: Float32Array, index: number): number {
  let sum = 0
  for (const logit of row) sum += Math.exp(logit - row[index])
  return 1 / sum
}
