/** Layer normalisation in float64, row by row: what the benches of the ops that normalise compare with. */
import type { InputData } from '../../src/graph/runtime.js'
import { dropoutFactor, type Expected, once, sum } from './op_program.js'

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

type Data = Readonly<Record<string, InputData>>

/** What layernorm should give. */
export function layernormExpected(N: number, H: number, eps: number) {
  return ({ x, weight: w, bias, dy }: Data): Record<string, Expected> => {
    const row = normOracle(
      H,
      eps,
      (n, h) => x[n * H + h],
      (n, h) => dy[n * H + h] * w[h],
    )
    return {
      y: (i) => row.normalized(Math.floor(i / H), i % H) * w[i % H] + bias[i % H],
      rstd: row.rstd,
      dx: (i) => row.dx(Math.floor(i / H), i % H),
      dweight: (h) => sum(N, (n) => dy[n * H + h] * row.normalized(n, h)),
      dbias: (h) => sum(N, (n) => dy[n * H + h]),
    }
  }
}

/** What dropout_add_layernorm should give. */
export function dropoutAddLayernormExpected(N: number, H: number, eps: number, p: number, stream: number) {
  return ({ x, residual, weight: w, bias, dy }: Data): Record<string, Expected> => {
    const factor = (n: number, h: number) => dropoutFactor(p, stream, n, h)
    const total = (n: number, h: number) => residual[n * H + h] + factor(n, h) * x[n * H + h]
    const row = normOracle(H, eps, total, (n, h) => dy[n * H + h] * w[h])
    return {
      y: (i) => row.normalized(Math.floor(i / H), i % H) * w[i % H] + bias[i % H],
      sum: (i) => total(Math.floor(i / H), i % H),
      dx: (i) => row.dx(Math.floor(i / H), i % H) * factor(Math.floor(i / H), i % H),
      dresidual: (i) => row.dx(Math.floor(i / H), i % H),
      dbias: (h) => sum(N, (n) => dy[n * H + h]),
      // every mask of the batch is too much for the slow generator
      ...(p === 0 && { dweight: (h) => sum(N, (n) => dy[n * H + h] * row.normalized(n, h)) }),
    }
  }
}
