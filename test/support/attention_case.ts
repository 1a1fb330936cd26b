/**
 * Attention computed from its formulas, one pair of rows after the other, with numbers that round or do not: the oracle
 * of the kernels in f32, and the naive computation that those in bf16 are held against.
 */
import { type Numbers, product } from './half_case.js'
import { dropoutFactors } from './philox.js'
import { random } from './random.js'

export interface AttentionCase {
  lengths: number[]
  heads: number
  D: number
  /** Query i sees keys 0 .. i. */
  causal?: boolean
  /** Of the values of qkv. */
  scale?: number
  /** Added to queries and taken from keys: all scores are shifted by about -shift^2 sqrt(D). */
  shift?: number
}

/** The factor of a probability: 0 or 1 / (1 - p), without dropout 1. */
export type Keep = (row: number, head: number, key: number) => number

/** The factors that masks drawn at `site` give; 1 without dropout. */
export function keepOf(
  { lengths, heads }: AttentionCase,
  site: { p: number; seed: number; draw: number; stream: number },
): Keep {
  const longest = Math.max(...lengths)
  const rates = new Map<number, Float64Array>()
  return (row, head, key) => {
    if (site.p === 0) return 1
    const plane = row * heads + head
    if (!rates.has(plane)) rates.set(plane, dropoutFactors(site, plane, longest))
    return rates.get(plane)![key]
  }
}

/** Inputs of a case, and a gradient for y. */
export function attentionInputs({ lengths, heads, D, scale = 1, shift = 0 }: AttentionCase, seed: number) {
  const N = lengths.reduce((a, b) => a + b, 0)
  const r = random(seed)
  const qkv = r.normals(N * 3 * heads * D, scale)
  const shifts = [shift, -shift, 0]
  const cu = Int32Array.from([
    0,
    ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0)),
  ])
  return {
    tensors: {
      qkv: {
        shape: [N, 3 * heads * D],
        data: qkv.map((x, i) => x + shifts[Math.floor(i / (heads * D)) % 3]),
      },
      cu_seqlens: { shape: [cu.length], data: cu },
    },
    dy: r.normals(N * heads * D),
  }
}

/**
 * y, lse and dqkv. What `numbers.store` rounds are results and operands of products: probabilities, their gradients, y
 * and dqkv; everything else are sums.
 */
export function attentionReference(
  { lengths, heads, D, causal }: AttentionCase,
  numbers: Numbers,
  qkv: ArrayLike<number>,
  dy: ArrayLike<number>,
  keep: Keep = () => 1,
) {
  const { store, sum } = numbers
  const H = heads * D
  const N = lengths.reduce((a, b) => a + b, 0)
  const y = new Float64Array(N * H)
  const lse = new Float64Array(N * heads)
  const dqkv = new Float64Array(N * 3 * H)
  let start = 0
  for (const S of lengths) {
    for (let a = 0; a < heads; a++) {
      /** Row n of query, key or value of the head. */
      const at = (n: number, part: number, d: number) => (start + n) * 3 * H + part * H + a * D + d
      const matrix = (f: (n: number, d: number) => number) =>
        Float64Array.from({ length: S * D }, (_, i) => f(Math.floor(i / D), i % D))
      const [q, k, v] = [0, 1, 2].map((part) => matrix((n, d) => qkv[at(n, part, d)]))
      const g = matrix((n, d) => dy[(start + n) * H + a * D + d])
      const scores = product(
        numbers,
        [S, S, D],
        (i, d) => q[i * D + d],
        (d, j) => k[j * D + d],
      )
      const dp = product(
        numbers,
        [S, S, D],
        (i, d) => g[i * D + d],
        (d, j) => v[j * D + d],
      )
      const p = new Float64Array(S * S)
      const dropped = new Float64Array(S * S)
      for (let i = 0; i < S; i++) {
        let top = -Infinity
        for (let j = 0; j < S; j++) {
          scores[i * S + j] = causal && j > i ? -Infinity : sum(scores[i * S + j] / Math.sqrt(D))
          top = Math.max(top, scores[i * S + j])
        }
        let total = 0
        for (let j = 0; j < S; j++) total = sum(total + Math.exp(scores[i * S + j] - top))
        lse[(start + i) * heads + a] = top + Math.log(total)
        for (let j = 0; j < S; j++) {
          p[i * S + j] = store(Math.exp(scores[i * S + j] - top) / total)
          dropped[i * S + j] = store(keep(start + i, a, j) * p[i * S + j])
        }
      }
      const out = product(
        numbers,
        [S, D, S],
        (i, j) => dropped[i * S + j],
        (j, d) => v[j * D + d],
      ).map(store)
      const ds = new Float64Array(S * S)
      for (let i = 0; i < S; i++) {
        let delta = 0
        for (let d = 0; d < D; d++) delta = sum(delta + g[i * D + d] * out[i * D + d])
        for (let j = 0; j < S; j++)
          ds[i * S + j] = store(p[i * S + j] * (keep(start + i, a, j) * dp[i * S + j] - delta))
      }
      const dv = product(
        numbers,
        [S, D, S],
        (j, i) => dropped[i * S + j],
        (i, d) => g[i * D + d],
      )
      const dq = product(
        numbers,
        [S, D, S],
        (i, j) => ds[i * S + j],
        (j, d) => k[j * D + d],
      )
      const dk = product(
        numbers,
        [S, D, S],
        (j, i) => ds[i * S + j],
        (i, d) => q[i * D + d],
      )
      for (let i = 0; i < S; i++)
        for (let d = 0; d < D; d++) {
          y[(start + i) * H + a * D + d] = out[i * D + d]
          dqkv[at(i, 0, d)] = store(dq[i * D + d] / Math.sqrt(D))
          dqkv[at(i, 1, d)] = store(dk[i * D + d] / Math.sqrt(D))
          dqkv[at(i, 2, d)] = store(dv[i * D + d])
        }
    }
    start += S
  }
  return { y, lse, dqkv }
}
