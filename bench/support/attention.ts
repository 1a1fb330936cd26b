/** What attention should give, in float64, of a ragged batch: qkv [N,3 A D], sequence b has rows starts[b] to starts[b + 1] - 1. */
import type { InputData } from '../../src/graph/runtime.js'
import { dropoutFactor, type Expected, once, sum } from './op_program.js'

export interface AttentionBatch {
  readonly starts: readonly number[]
  readonly A: number
  readonly D: number
  readonly p: number
  readonly stream: number
  readonly causal?: boolean
}

export function attentionExpected({ starts, A, D, p, stream, causal = false }: AttentionBatch) {
  const H = A * D
  const sequence = once((n) => starts.findLastIndex((start) => start <= n))
  const first = (n: number) => starts[sequence(n)]
  const length = (n: number) => starts[sequence(n) + 1] - first(n)
  return ({ qkv, dy }: Readonly<Record<string, InputData>>): Record<string, Expected> => {
    const at = (n: number, part: number, a: number, d: number) => qkv[n * 3 * H + part * H + a * D + d]
    /** Probabilities of a row and head, with their factors, and the gradient of the scores. */
    const row = once((key) => {
      const [n, a] = [Math.floor(key / A), key % A]
      const s = Float64Array.from({ length: length(n) }, (_, j) =>
        causal && j > n - first(n)
          ? Number.NEGATIVE_INFINITY
          : sum(D, (d) => (at(n, 0, a, d) * at(first(n) + j, 1, a, d)) / Math.sqrt(D)),
      )
      const lse = Math.log(s.reduce((t, v) => t + Math.exp(v), 0))
      const q = s.map((v) => Math.exp(v - lse))
      const keep = q.map((_, j) => dropoutFactor(p, stream, n * A + a, j))
      const dq = keep.map((k, j) => k * sum(D, (d) => dy[n * H + a * D + d] * at(first(n) + j, 2, a, d)))
      const mean = sum(length(n), (j) => q[j] * dq[j])
      return {
        lse,
        kept: q.map((v, j) => v * keep[j]),
        ds: q.map((v, j) => (v * (dq[j] - mean)) / Math.sqrt(D)),
      }
    })
    return {
      lse: (i) => row(i).lse,
      y(i) {
        const [n, a, d] = [Math.floor(i / H), Math.floor((i % H) / D), i % D]
        return sum(length(n), (j) => row(n * A + a).kept[j] * at(first(n) + j, 2, a, d))
      },
      dqkv(i) {
        const [n, part] = [Math.floor(i / (3 * H)), Math.floor((i % (3 * H)) / H)]
        const [a, d] = [Math.floor((i % H) / D), i % D]
        const own = n - first(n)
        const other = (j: number) => row((first(n) + j) * A + a)
        if (part === 0) return sum(length(n), (j) => row(n * A + a).ds[j] * at(first(n) + j, 1, a, d))
        if (part === 1) return sum(length(n), (j) => other(j).ds[own] * at(first(n) + j, 0, a, d))
        return sum(length(n), (j) => other(j).kept[own] * dy[(first(n) + j) * H + a * D + d])
      },
    }
  }
}
