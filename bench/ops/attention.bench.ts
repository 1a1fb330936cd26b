import { attention } from '../../src/ops/attention.js'
import { attentionRaces, attentions } from '../shapes.js'
import { activation, benchOp, dropoutFactor, fixed, narrow, once, sum } from '../support/op.js'
import { pytorchOps, raceOp } from '../support/op_race.js'

const shapes = [
  ...Object.entries(attentions).map(([name, shape]) => ({ name, ...shape, p: 0, causal: false })),
  { name: 'base_8x128_dropout', ...attentions.base_8x128, p: 0.1, causal: false },
  { name: 'base_2x512_causal', ...attentions.base_2x512, p: 0, causal: true },
].flatMap((shape) => [
  { ...shape, of: activation },
  { ...shape, name: `${shape.name}_bf16`, of: narrow },
])
for (const { name, B, S, A, D, p, causal, of } of shapes) {
  const H = A * D
  await benchOp(name, attention, {
    inputs: {
      qkv: of(B * S, 3 * H),
      cu_seqlens: fixed(
        Int32Array.from({ length: B + 1 }, (_, b) => b * S),
        B + 1,
      ),
    },
    attrs: { heads: A, sequences: B, p, stream: 1, causal },
    expected({ qkv, dy }) {
      const at = (n: number, part: number, a: number, d: number) => qkv[n * 3 * H + part * H + a * D + d]
      const first = (n: number) => n - (n % S)
      /** Probabilities of a row and head, their factors, and the gradient of the scores. */
      const row = once((key) => {
        const [n, a] = [Math.floor(key / A), key % A]
        const s = Float64Array.from({ length: S }, (_, j) =>
          causal && j > n % S
            ? Number.NEGATIVE_INFINITY
            : sum(D, (d) => (at(n, 0, a, d) * at(first(n) + j, 1, a, d)) / Math.sqrt(D)),
        )
        const lse = Math.log(s.reduce((t, v) => t + Math.exp(v), 0))
        const q = s.map((v) => Math.exp(v - lse))
        const keep = q.map((_, j) => dropoutFactor(p, 1, n * A + a, j))
        const dq = keep.map((k, j) => k * sum(D, (d) => dy[n * H + a * D + d] * at(first(n) + j, 2, a, d)))
        const mean = sum(S, (j) => q[j] * dq[j])
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
          return sum(S, (j) => row(n * A + a).kept[j] * at(first(n) + j, 2, a, d))
        },
        dqkv(i) {
          const [n, part, a, d] = [
            Math.floor(i / (3 * H)),
            Math.floor((i % (3 * H)) / H),
            Math.floor((i % H) / D),
            i % D,
          ]
          const other = (j: number) => row((first(n) + j) * A + a)
          if (part === 0) return sum(S, (j) => row(n * A + a).ds[j] * at(first(n) + j, 1, a, d))
          if (part === 1) return sum(S, (j) => other(j).ds[n % S] * at(first(n) + j, 0, a, d))
          return sum(S, (j) => other(j).kept[n % S] * dy[(first(n) + j) * H + a * D + d])
        },
      }
    },
  })
}

// forward and backward beside PyTorch's scaled_dot_product_attention
for (const [name, { B, S, A, D }] of Object.entries(attentionRaces)) {
  const starts = fixed(
    Int32Array.from({ length: B + 1 }, (_, b) => b * S),
    B + 1,
  )
  const attrs = { heads: A, sequences: B, p: 0, stream: 1 }
  await raceOp(`attention ${name}`, attention, {
    ours: [
      { precision: 'f32', inputs: { qkv: activation(B * S, 3 * A * D), cu_seqlens: starts }, attrs },
      { precision: 'bf16', inputs: { qkv: narrow(B * S, 3 * A * D), cu_seqlens: starts }, attrs },
    ],
    peers: pytorchOps,
    op: 'attention',
    sizes: [B, S, A, D],
    results: ['y', 'dqkv'],
  })
}
