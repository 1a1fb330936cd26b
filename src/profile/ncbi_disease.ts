/**
 * How long sentences of a benchmark of biomedical entities are, for workloads that are made up: benches and predictions.
 * Sentences by their pieces, [CLS] and [SEP] among them: lengths[i] of them have from 8 i to 8 i + 7. Counted in the 5,424
 * training sentences of NCBI-disease (Dogan et al. 2014, as BioBERT's data has them), which the vocabulary of
 * ALBERT cuts into 37.6 pieces a sentence, at most 193. A word begins at 0.665 of the pieces.
 */
export const ncbiDisease = {
  sentences: 5424,
  firstPieces: 0.665,
  lengths: [
    65, 310, 819, 1106, 1019, 789, 539, 337, 175, 116, 57, 30, 18, 17, 7, 6, 2, 3, 0, 1, 2, 1, 2, 2, 1,
  ],
} as const

/**
 * `count` lengths spread over the distribution: the same for everybody, in an order in which any stretch of them is
 * mixed.
 */
export function typicalLengths(count: number): number[] {
  const total = ncbiDisease.lengths.reduce<number>((a, b) => a + b, 0)
  const quantile = (share: number): number => {
    let left = share * total
    for (const [bin, n] of ncbiDisease.lengths.entries()) {
      if (left < n) return Math.max(3, 8 * bin + Math.floor((8 * left) / n))
      left -= n
    }
    return 8 * ncbiDisease.lengths.length - 1
  }
  // a stride of the golden section that meets every place
  let stride = Math.max(1, Math.round(0.618 * count))
  while (divisor(stride, count) > 1) stride++
  return Array.from({ length: count }, (_, i) => quantile((((i * stride) % count) + 0.5) / count))
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}
