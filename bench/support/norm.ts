/** Layer normalisation in float64, row by row: what the benches of the ops that normalise compare with. */
import { once, sum } from './op.js'

export interface NormOracle {
  /** (x - mean) rstd of element h of row n. */
  normalized(n: number, h: number): number
  mean(n: number): number
  rstd(n: number): number
  /** Gradient of element h of row n of what is normalised. */
  dx(n: number, h: number): number
}

/** `x(n, h)` is normalised over `size` elements a row, `g(n, h)` the gradient of the result times the weight. */
export function normOracle(
  size: number,
  eps: number,
  x: (n: number, h: number) => number,
  g: (n: number, h: number) => number,
): NormOracle {
  const statistics = once((n) => {
    const mean = sum(size, (h) => x(n, h)) / size
    return { mean, rstd: 1 / Math.sqrt(sum(size, (h) => (x(n, h) - mean) ** 2) / size + eps) }
  })
  const normalized = (n: number, h: number) => (x(n, h) - statistics(n).mean) * statistics(n).rstd
  const means = once((n) => ({
    g: sum(size, (h) => g(n, h)) / size,
    gx: sum(size, (h) => g(n, h) * normalized(n, h)) / size,
  }))
  return {
    normalized,
    mean: (n) => statistics(n).mean,
    rstd: (n) => statistics(n).rstd,
    dx: (n, h) => statistics(n).rstd * (g(n, h) - means(n).g - normalized(n, h) * means(n).gx),
  }
}
