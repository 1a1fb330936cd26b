import { suite } from 'uvu'
import { attention } from '../../src/ops/attention.js'
import { allclose } from '../support/allclose.js'
import { bf16, checkBf16, type Numbers, product } from '../support/bf16_case.js'
import { runOp } from '../support/op_case.js'
import { onEveryIsa, sameBitsOnThreads } from '../support/op_check.js'
import { opsGolden } from '../support/ops_golden.js'
import { dropoutFactors } from '../support/philox.js'
import { random } from '../support/random.js'

const test = suite('attention')

interface Case {
  lengths: number[]
  heads: number
  D: number
  scale?: number
}

/** Decides whether a probability is kept; without dropout every one is. */
type Keep = (row: number, head: number, key: number) => number

/** y, lse and dqkv in float64, straight from the formulas, one pair of rows after the other. */
function oracle(
  { lengths, heads, D }: Case,
  qkv: ArrayLike<number>,
  dy: ArrayLike<number>,
  keep: Keep = () => 1,
) {
  const H = heads * D
  const N = lengths.reduce((a, b) => a + b, 0)
  const y = new Float64Array(N * H)
  const lse = new Float64Array(N * heads)
  const dqkv = new Float64Array(N * 3 * H)
  let start = 0
  for (const S of lengths) {
    for (let a = 0; a < heads; a++) {
      const at = (n: number, part: number, d: number) => (start + n) * 3 * H + part * H + a * D + d
      for (let i = 0; i < S; i++) {
        const s = new Float64Array(S)
        for (let j = 0; j < S; j++)
          for (let d = 0; d < D; d++) s[j] += (qkv[at(i, 0, d)] * qkv[at(j, 1, d)]) / Math.sqrt(D)
        const top = s.reduce((u, v) => Math.max(u, v), -Infinity)
        const total = s.reduce((u, v) => u + Math.exp(v - top), 0)
        lse[(start + i) * heads + a] = top + Math.log(total)
        const p = s.map((v) => Math.exp(v - top) / total)
        const dp = new Float64Array(S)
        for (let j = 0; j < S; j++) {
          const k = keep(start + i, a, j)
          for (let d = 0; d < D; d++) {
            const g = dy[(start + i) * H + a * D + d]
            y[(start + i) * H + a * D + d] += k * p[j] * qkv[at(j, 2, d)]
            dp[j] += k * g * qkv[at(j, 2, d)]
            dqkv[at(j, 2, d)] += k * p[j] * g
          }
        }
        const mean = p.reduce((u, v, j) => u + v * dp[j], 0)
        for (let j = 0; j < S; j++)
          for (let d = 0; d < D; d++) {
            const ds = (p[j] * (dp[j] - mean)) / Math.sqrt(D)
            dqkv[at(i, 0, d)] += ds * qkv[at(j, 1, d)]
            dqkv[at(j, 1, d)] += ds * qkv[at(i, 0, d)]
          }
      }
    }
    start += S
  }
  return { y, lse, dqkv }
}

function inputs({ lengths, heads, D, scale = 1 }: Case, seed: number) {
  const N = lengths.reduce((a, b) => a + b, 0)
  const r = random(seed)
  const cu = Int32Array.from([
    0,
    ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0)),
  ])
  return {
    tensors: {
      qkv: { shape: [N, 3 * heads * D], data: r.normals(N * 3 * heads * D, scale) },
      cu_seqlens: { shape: [cu.length], data: cu },
    },
    dy: r.normals(N * heads * D),
  }
}

const cases: Case[] = [
  { lengths: [1], heads: 1, D: 1 },
  { lengths: [3, 1, 7], heads: 2, D: 5 },
  { lengths: [33, 0, 64, 17], heads: 3, D: 16 },
  { lengths: [40, 65], heads: 1, D: 64, scale: 3 },
  { lengths: [5], heads: 2, D: 200 },
  { lengths: [530], heads: 1, D: 8 },
  { lengths: [150], heads: 1, D: 256 },
]
for (const c of cases)
  onEveryIsa(test, `lengths ${c.lengths}, ${c.heads} heads of ${c.D}: y, lse and dqkv`, async (device) => {
    const { tensors, dy } = inputs(c, 7)
    const sequences = c.lengths.length
    const got = await runOp(
      device,
      tensors,
      ({ qkv, cu_seqlens }, capture) =>
        capture.apply(attention, [qkv, cu_seqlens], { heads: c.heads, sequences, p: 0, stream: 0 }),
      [dy],
    )
    const want = oracle(c, tensors.qkv.data, dy)
    const scale = c.scale ? 10 : 1
    allclose(got.outputs[0], want.y, { rtol: 1e-5, atol: 2e-6 * scale, name: 'y' })
    allclose(got.outputs[1], want.lse, { rtol: 1e-5, atol: 2e-6 * scale, name: 'lse' })
    allclose(got.gradients.qkv, want.dqkv, { rtol: 1e-4, atol: 1e-5 * scale, name: 'dqkv' })
  })

for (const name of ['attention_a', 'attention_b', 'attention_c'])
  onEveryIsa(test, `${name} of PyTorch: y, lse and dqkv`, async (device) => {
    const golden = opsGolden(name)
    const [N, heads, D] = golden.shape('q')
    const side = (parts: string[]) => {
      const data = new Float32Array(N * 3 * heads * D)
      for (const [part, key] of parts.entries())
        golden.floats(key).forEach((v, i) => {
          data[Math.floor(i / (heads * D)) * 3 * heads * D + part * heads * D + (i % (heads * D))] = v
        })
      return data
    }
    const cu = golden.ints('cu_seqlens')
    const got = await runOp(
      device,
      {
        qkv: { shape: [N, 3 * heads * D], data: side(['q', 'k', 'v']) },
        cu_seqlens: { shape: [cu.length], data: cu },
      },
      ({ qkv, cu_seqlens }, capture) =>
        capture.apply(attention, [qkv, cu_seqlens], { heads, sequences: cu.length - 1, p: 0, stream: 0 }),
      [golden.floats('dy')],
    )
    // scores of some hundreds in b carry an error of their own size times 6e-8 into exp
    const wide = name === 'attention_b' ? 20 : 1
    allclose(got.outputs[0], golden.floats('y'), { rtol: 1e-5, atol: 2e-6 * wide, name: 'y' })
    allclose(got.outputs[1], golden.floats('lse'), { rtol: 1e-5, atol: 2e-6, name: 'lse' })
    allclose(got.gradients.qkv, side(['dq', 'dk', 'dv']), { rtol: 1e-4, atol: 1e-5 * wide, name: 'dqkv' })
  })

onEveryIsa(
  test,
  'dropout drops the share it says, scales the rest, and backward drops the same',
  async (device) => {
    const c: Case = { lengths: [37, 50], heads: 2, D: 8 }
    const { tensors } = inputs(c, 11)
    const N = 87
    const H = 16
    // values of one-hot columns show single probabilities: column d of head a is 1 at key d
    const run = (data: Float32Array, dy: Float32Array) =>
      runOp(
        device,
        { ...tensors, qkv: { shape: [N, 3 * H], data } },
        ({ qkv, cu_seqlens }, capture) =>
          capture.apply(attention, [qkv, cu_seqlens], { heads: 2, sequences: 2, p: 0.25, stream: 5 }),
        [dy],
        { scalars: { seed: 42, draw: 3 } },
      )
    const kept = new Map<string, number>()
    let total = 0
    for (let first = 0; first < 50; first += 8) {
      const data = Float32Array.from(tensors.qkv.data)
      for (let n = 0; n < N; n++)
        for (let a = 0; a < 2; a++)
          for (let d = 0; d < 8; d++)
            data[n * 48 + 32 + a * 8 + d] = (n < 37 ? n : n - 37) === first + d ? 1 : 0
      const { outputs } = await run(data, new Float32Array(N * H))
      const plain = oracle(c, data, new Float32Array(N * H))
      for (let n = 0; n < N; n++)
        for (let a = 0; a < 2; a++)
          for (let d = 0; d < 8; d++) {
            if (first + d >= (n < 37 ? 37 : 50)) continue
            const factor = outputs[0][n * H + a * 8 + d] / plain.y[n * H + a * 8 + d]
            const k = factor < 0.5 ? 0 : 1 / 0.75
            allclose([factor], [k], { rtol: 1e-4, atol: 1e-6, name: 'factor of a probability' })
            kept.set(`${n},${a},${first + d}`, k)
            total++
          }
    }
    const share = [...kept.values()].filter((k) => k === 0).length / total
    if (Math.abs(share - 0.25) > 4 * Math.sqrt((0.25 * 0.75) / total)) throw new Error(`${share} dropped`)
    const dy = random(3).normals(N * H)
    const got = await run(tensors.qkv.data as Float32Array, dy)
    const want = oracle(c, tensors.qkv.data, dy, (n, a, j) => kept.get(`${n},${a},${j}`)!)
    allclose(got.outputs[0], want.y, { rtol: 1e-5, atol: 2e-6, name: 'y' })
    allclose(got.gradients.qkv, want.dqkv, { rtol: 1e-4, atol: 1e-5, name: 'dqkv' })
  },
)

test('the same bits on 1, 2, 3 and 7 threads', () => {
  const c: Case = { lengths: [70, 3, 41], heads: 2, D: 24 }
  const { tensors, dy } = inputs(c, 5)
  return sameBitsOnThreads((device) =>
    runOp(
      device,
      tensors,
      ({ qkv, cu_seqlens }, capture) =>
        capture.apply(attention, [qkv, cu_seqlens], { heads: 2, sequences: 3, p: 0.1, stream: 0 }),
      [dy],
      { scalars: { seed: 1, draw: 0 } },
    ),
  )
})

/** The same from numbers that round: scores, probabilities, their gradients and results are stored. */
function reference(
  { lengths, heads, D }: Case,
  n: Numbers,
  qkv: ArrayLike<number>,
  dy: ArrayLike<number>,
  keep: Keep,
) {
  const H = heads * D
  const N = lengths.reduce((a, b) => a + b, 0)
  const y = new Float64Array(N * H)
  const lse = new Float64Array(N * heads)
  const dqkv = new Float64Array(N * 3 * H)
  let start = 0
  for (const S of lengths) {
    const at = (row: number, part: number, a: number, d: number) =>
      (start + row) * 3 * H + part * H + a * D + d
    for (let a = 0; a < heads; a++) {
      const q = (i: number, d: number) => qkv[at(i, 0, a, d)]
      const k = (i: number, d: number) => qkv[at(i, 1, a, d)]
      const v = (i: number, d: number) => qkv[at(i, 2, a, d)]
      const g = (i: number, d: number) => dy[(start + i) * H + a * D + d]
      const scores = product(n, [S, S, D], q, (d, j) => k(j, d)).map((s) => n.store(s / Math.sqrt(D)))
      const p = new Float64Array(S * S)
      for (let i = 0; i < S; i++) {
        const row = scores.subarray(i * S, (i + 1) * S)
        const top = row.reduce((s, t) => Math.max(s, t), -Infinity)
        const total = row.reduce((s, t) => n.sum(s + Math.exp(t - top)), 0)
        lse[(start + i) * heads + a] = top + Math.log(total)
        for (let j = 0; j < S; j++) p[i * S + j] = n.store(Math.exp(row[j] - top) / total)
      }
      const kept = (i: number, j: number) => keep(start + i, a, j)
      const dropped = (i: number, j: number) => n.store(kept(i, j) * p[i * S + j])
      const out = product(n, [S, D, S], dropped, v).map(n.store)
      const dp = product(n, [S, S, D], g, (d, j) => v(j, d)).map(n.store)
      const dv = product(n, [S, D, S], (j, i) => dropped(i, j), g)
      const ds = new Float64Array(S * S)
      for (let i = 0; i < S; i++) {
        let delta = 0
        for (let d = 0; d < D; d++) delta = n.sum(delta + g(i, d) * out[i * D + d])
        for (let j = 0; j < S; j++)
          ds[i * S + j] = n.store(p[i * S + j] * (kept(i, j) * dp[i * S + j] - delta))
      }
      const dq = product(n, [S, D, S], (i, j) => ds[i * S + j], k)
      const dk = product(n, [S, D, S], (j, i) => ds[i * S + j], q)
      for (let i = 0; i < S; i++)
        for (let d = 0; d < D; d++) {
          y[(start + i) * H + a * D + d] = out[i * D + d]
          dqkv[at(i, 0, a, d)] = n.store(dq[i * D + d] / Math.sqrt(D))
          dqkv[at(i, 1, a, d)] = n.store(dk[i * D + d] / Math.sqrt(D))
          dqkv[at(i, 2, a, d)] = n.store(dv[i * D + d])
        }
    }
    start += S
  }
  return { y, lse, dqkv }
}

for (const [c, p] of [
  [{ lengths: [1], heads: 1, D: 1 }, 0],
  [{ lengths: [3, 1, 7], heads: 2, D: 5 }, 0],
  [{ lengths: [33, 0, 64, 17], heads: 3, D: 16 }, 0.2],
  [{ lengths: [40, 65], heads: 1, D: 64, scale: 3 }, 0],
  [{ lengths: [530], heads: 1, D: 8 }, 0],
  [{ lengths: [130, 31], heads: 2, D: 64 }, 0.1],
] as [Case, number][]) {
  const { tensors, dy } = inputs(c, 7)
  const sequences = c.lengths.length
  const rates = new Map<string, Float64Array>()
  const keep: Keep = (row, head, key) => {
    if (p === 0) return 1
    const plane = row * c.heads + head
    if (!rates.has(`${plane}`))
      rates.set(`${plane}`, dropoutFactors({ p, seed: 9, draw: 4, stream: 6 }, plane, Math.max(...c.lengths)))
    return rates.get(`${plane}`)![key]
  }
  checkBf16(test, `lengths ${c.lengths}, ${c.heads} heads of ${c.D}, p ${p}`, {
    inputs: { ...tensors, qkv: { ...tensors.qkv, data: tensors.qkv.data.map(bf16) } },
    narrow: ['qkv'],
    size: dy.length,
    scalars: { seed: 9, draw: 4 },
    build: ({ qkv, cu_seqlens }, capture) =>
      capture.apply(attention, [qkv, cu_seqlens], { heads: c.heads, sequences, p, stream: 6 }),
    reference(n, { qkv }, arriving) {
      const { y, lse, dqkv } = reference(c, n, qkv, arriving, keep)
      return { outputs: [y, lse], gradients: { qkv: dqkv } }
    },
  })
}

test.run()
