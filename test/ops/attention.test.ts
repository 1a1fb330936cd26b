import { suite } from 'uvu'
import type { Tensor } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import { attention } from '../../src/ops/attention.js'
import { cast } from '../../src/ops/cast.js'
import type { FloatType } from '../../src/ops/shape.js'
import { allclose, sameBits } from '../support/allclose.js'
import { type AttentionCase, attentionInputs, attentionReference, keepOf } from '../support/attention_case.js'
import { attentionPasses } from '../support/attention_passes.js'
import { isFew, ofEachKind, once, onThreads } from '../support/cases.js'
import { checkHalf, exact, half, halfType, narrowIsas, onEveryNarrowIsa, wide } from '../support/half_case.js'
import { runOp } from '../support/op_case.js'
import { onEveryIsa, sameBitsOnThreads, withDevice } from '../support/op_check.js'
import { opsGolden } from '../support/ops_golden.js'
import { random } from '../support/random.js'
import { onSet } from '../support/tally.js'

const test = suite('attention')

// about the blocks and tiles of kernels, with head sizes that have a form of their own and others
const kinds = {
  'short sequences of a small head': [
    { lengths: [3, 1, 7], heads: 2, D: 5 },
    { lengths: [1], heads: 1, D: 1 },
  ],
  'an empty sequence among others': [
    { lengths: [33, 0, 20], heads: 3, D: 16 },
    { lengths: [33, 0, 64, 17], heads: 3, D: 16 },
  ],
  'a head of 64, wide scores': [
    { lengths: [9, 34], heads: 1, D: 64, scale: 3 },
    { lengths: [40, 65], heads: 1, D: 64, scale: 3 },
  ],
  'a head of 32': [
    { lengths: [4, 5, 31], heads: 1, D: 32 },
    { lengths: [3, 4, 0, 5, 31, 32, 33], heads: 3, D: 32 },
  ],
  'other heads': [
    { lengths: [7, 8, 9, 34], heads: 2, D: 24 },
    { lengths: [1, 16, 17], heads: 2, D: 96 },
  ],
  'large heads': [
    { lengths: [5], heads: 2, D: 200 },
    { lengths: [33, 2], heads: 2, D: 128 },
    { lengths: [150], heads: 1, D: 256 },
  ],
  'several blocks of keys': [
    { lengths: [200], heads: 1, D: 8 },
    { lengths: [530], heads: 1, D: 8 },
  ],
}
const cases: AttentionCase[] = ofEachKind<AttentionCase>(kinds)
const causalCases: AttentionCase[] = ofEachKind<AttentionCase>({
  ...kinds,
  'where blocks meet the diagonal': [{ lengths: [47, 48, 49, 95, 96, 97], heads: 1, D: 7 }],
  'many blocks': isFew ? [] : [{ lengths: [1100, 0, 2], heads: 1, D: 4 }],
}).map((c) => ({ ...c, causal: true }))
const title = (c: AttentionCase) =>
  `${c.causal ? 'causal, ' : ''}lengths ${c.lengths}, ${c.heads} heads of ${c.D}`
for (const c of [...cases, ...causalCases]) {
  const { tensors, dy } = attentionInputs(c, 7)
  const wanted = once(() => attentionReference(c, exact, tensors.qkv.data, dy))
  onEveryIsa(test, `${title(c)}: y, lse and dqkv`, async (device) => {
    const sequences = c.lengths.length
    const got = await runOp(
      device,
      tensors,
      ({ qkv, cu_seqlens }, capture) =>
        capture.apply(attention, [qkv, cu_seqlens], {
          heads: c.heads,
          sequences,
          p: 0,
          stream: 0,
          causal: c.causal,
        }),
      [dy],
    )
    const want = wanted()
    const scale = c.scale ? 10 : 1
    allclose(got.outputs[0], want.y, { rtol: 1e-5, atol: 2e-6 * scale, name: 'y' })
    allclose(got.outputs[1], want.lse, { rtol: 1e-5, atol: 2e-6 * scale, name: 'lse' })
    allclose(got.gradients.qkv, want.dqkv, { rtol: 1e-4, atol: 1e-5 * scale, name: 'dqkv' })
  })
}

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
    const c: AttentionCase = { lengths: [37, 50], heads: 2, D: 8 }
    const { tensors } = attentionInputs(c, 11)
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
      const plain = attentionReference(c, exact, data, new Float32Array(N * H))
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
    const want = attentionReference(c, exact, tensors.qkv.data, dy, (n, a, j) => kept.get(`${n},${a},${j}`)!)
    allclose(got.outputs[0], want.y, { rtol: 1e-5, atol: 2e-6, name: 'y' })
    allclose(got.gradients.qkv, want.dqkv, { rtol: 1e-4, atol: 1e-5, name: 'dqkv' })
  },
)

for (const causal of [false, true])
  test(`the same bits ${onThreads}${causal ? ', causal' : ''}`, () => {
    const c: AttentionCase = { lengths: [70, 3, 41], heads: 2, D: 24 }
    const { tensors, dy } = attentionInputs(c, 5)
    return sameBitsOnThreads((device) =>
      runOp(
        device,
        tensors,
        ({ qkv, cu_seqlens }, capture) =>
          capture.apply(attention, [qkv, cu_seqlens], { heads: 2, sequences: 3, p: 0.1, stream: 0, causal }),
        [dy],
        { scalars: { seed: 1, draw: 0 } },
      ),
    )
  })

/** One sequence of every length at which blocks and tiles begin to fill up, be full or flow over. */
const ragged = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130]
if (halfType() !== 'f16') ragged.push(512)

for (const [given, p] of ofEachKind<[AttentionCase, number]>({
  'short sequences of a small head': [
    [{ lengths: [3, 1, 7], heads: 2, D: 5 }, 0],
    [{ lengths: [1], heads: 1, D: 1 }, 0],
  ],
  'an empty sequence among others': [[{ lengths: [33, 0, 64, 17], heads: 3, D: 16 }, 0.2]],
  'wide scores': [[{ lengths: [40, 65], heads: 1, D: 64, scale: 3 }, 0]],
  'large heads': [[{ lengths: [5, 70], heads: 2, D: 200 }, 0.1]],
  // scores of -256, beside which one of 0, as padding has, has an infinite probability
  'scores far below that of padding': [[{ lengths: [5, 40], heads: 2, D: 16, scale: 0.25, shift: 8 }, 0.1]],
  'every length about tiles': [
    [{ lengths: ragged.slice(0, 12), heads: 1, D: 26 }, 0.1],
    [{ lengths: [530], heads: 1, D: 8 }, 0],
    [{ lengths: [130, 31], heads: 2, D: 64 }, 0.1],
    [{ lengths: ragged, heads: 1, D: 64 }, 0],
    [{ lengths: ragged, heads: 1, D: 64 }, 0.1],
    [{ lengths: ragged, heads: 1, D: 32 }, 0.1],
    [{ lengths: ragged, heads: 2, D: 16 }, 0],
    [{ lengths: ragged, heads: 3, D: 8 }, 0.3],
    [{ lengths: ragged, heads: 1, D: 48 }, 0],
    [{ lengths: ragged, heads: 1, D: 26 }, 0.1],
    [{ lengths: ragged, heads: 3, D: 7 }, 0],
  ],
  'causal, short': [[{ lengths: [3, 1, 7], heads: 2, D: 5, causal: true }, 0]],
  'causal, scores far below that of padding': [
    [{ lengths: [5, 40], heads: 2, D: 16, scale: 0.25, shift: 8, causal: true }, 0.1],
  ],
  'causal, every length about tiles': [
    [{ lengths: ragged.slice(0, 12), heads: 1, D: 7, causal: true }, 0],
    [{ lengths: ragged, heads: 1, D: 64, causal: true }, 0],
    [{ lengths: [600, ...ragged], heads: 1, D: 26, causal: true }, 0.1],
  ],
})) {
  // an adapter in software takes long for the others
  if (halfType() === 'f16' && given.lengths.includes(130) && given.D % 32 !== 0) continue
  const c = { ...given, D: wide(given.D) }
  const { tensors, dy } = attentionInputs(c, 7)
  const sequences = c.lengths.length
  const keep = keepOf(c, { p, seed: 9, draw: 4, stream: 6 })
  checkHalf(test, `${title(c)}, p ${p}`, {
    inputs: { ...tensors, qkv: { ...tensors.qkv, data: tensors.qkv.data.map(half) } },
    narrow: ['qkv'],
    size: dy.length,
    scalars: { seed: 9, draw: 4 },
    build: ({ qkv, cu_seqlens }, capture) =>
      capture.apply(attention, [qkv, cu_seqlens], {
        heads: c.heads,
        sequences,
        p,
        stream: 6,
        causal: c.causal,
      }),
    reference(n, { qkv }, arriving) {
      const { y, lse, dqkv } = attentionReference(c, n, qkv, arriving, keep)
      return { outputs: [y, lse], gradients: { qkv: dqkv } }
    },
  })
}

/** Attention of one case in f32 or, from and to f32, in a type of two bytes. */
function run(
  device: Device,
  c: AttentionCase,
  p: number,
  type: FloatType,
  given = attentionInputs(c, 3),
  backward = true,
) {
  const { tensors, dy } = given
  const inputs = { ...tensors, qkv: { ...tensors.qkv, data: tensors.qkv.data.map(half) } }
  const as = (t: Tensor, to: FloatType) => (t.spec.dtype === to ? t : t.capture.apply(cast, [t], { to })[0])
  return runOp(
    device,
    inputs,
    ({ qkv, cu_seqlens }, capture) =>
      capture
        .apply(attention, [as(qkv, type), cu_seqlens], {
          heads: c.heads,
          sequences: c.lengths.length,
          p,
          stream: 1,
          causal: c.causal,
        })
        .map((t) => as(t, 'f32')),
    backward ? [dy.map(half)] : [],
    { scalars: { seed: 2, draw: 5 } },
  )
}

for (const type of ['f32', halfType()] as const)
  onEveryNarrowIsa(test, `causal, ${type}: a later row changes nothing in front of it`, async (isa) => {
    const c: AttentionCase = { lengths: [100, 77], heads: 2, D: 24, causal: true }
    const [changed, width] = [60, 3 * 48]
    const given = attentionInputs(c, 3)
    const other = attentionInputs(c, 3)
    for (let i = changed * width; i < 100 * width; i++) other.tensors.qkv.data[i] *= 3
    const [a, b] = await withDevice({ isa, threads: 2 }, async (device) => [
      await run(device, c, 0.1, type, given, false),
      await run(device, c, 0.1, type, other, false),
    ])
    for (const [y, z, w] of [
      [a.outputs[0], b.outputs[0], 48],
      [a.outputs[1], b.outputs[1], 2],
    ] as const) {
      sameBits(y.subarray(0, changed * w), z.subarray(0, changed * w), { name: 'rows in front' })
      if (y.slice(changed * w, 100 * w).every((v, i) => v === z[changed * w + i]))
        throw new Error('the changed rows changed nothing')
      sameBits(y.subarray(100 * w), z.subarray(100 * w), { name: 'the other sequence' })
    }
  })

onEveryNarrowIsa(
  test,
  `${halfType()}: nothing that lies in the working memory gets into a result`,
  async (isa) => {
    const c: AttentionCase = { lengths: [1, 33, 70], heads: 2, D: 40 }
    const poison = attentionInputs({ lengths: [300], heads: 2, D: 64 }, 3)
    poison.tensors.qkv.data.fill(Number.NaN)
    const [clean, dirty] = await withDevice({ isa, threads: 1 }, async (device) => {
      const first = await run(device, c, 0.1, halfType())
      await run(device, { lengths: [300], heads: 2, D: 64 }, 0.1, halfType(), poison)
      return [first, await run(device, c, 0.1, halfType())]
    })
    clean.outputs.forEach((y, i) => {
      sameBits(dirty.outputs[i], y, { name: `output ${i}` })
    })
    sameBits(dirty.gradients.qkv, clean.gradients.qkv, { name: 'dqkv' })
  },
)

onEveryNarrowIsa(
  test,
  'rows past the last sequence give zeros, and nothing behind them is written',
  async (isa) => {
    const c: AttentionCase = { lengths: [17, 40], heads: 2, D: 24 }
    const { tensors, dy } = attentionInputs(c, 3)
    const [rows, H] = [64, 48]
    const site = { p: 0.2, seed: 2, draw: 5, stream: 1 }
    const inputs = { qkv: tensors.qkv.data, dy, cu_seqlens: tensors.cu_seqlens }
    await withDevice({ isa, threads: 2 }, async (device) => {
      for (const type of [undefined, halfType()]) {
        const { y, lse, dqkv } = await attentionPasses(device, c, rows, inputs, site, type)
        for (const [name, all, width] of [
          ['y', y, H],
          ['lse', lse, 2],
          ['dqkv', dqkv, 3 * H],
        ] as const) {
          if (all.some(Number.isNaN)) throw new Error(`${name} has a NaN`)
          sameBits(all.subarray(57 * width), new Float32Array(7 * width), { name: `the end of ${name}` })
        }
      }
    })
  },
)

// By tiles keys are held up to 1,920 rows of a head of 256 and queries up to 576 in the backward pass. The reference is the
// kernel in f32; what a result of bf16 is rounded by, at most 2^-9 of the largest, stands for the naive error.
for (const isa of narrowIsas().filter((name) => /^(amx|avx512_bf16|neon_bf16)/.test(name)))
  for (const [S, backward, causal] of ofEachKind<[number, boolean, boolean]>({
    'keys, and queries backward': [
      [600, true, false],
      [2000, false, false],
      [2000, false, true],
      [900, true, true],
    ],
  })) {
    const judge = async () => {
      const c: AttentionCase = { lengths: [S], heads: 1, D: 256, causal }
      const given = attentionInputs(c, 3)
      const [want, found] = [
        await withDevice({ isa: isa === 'neon_bf16' ? 'neon' : 'avx512', threads: 1 }, (device) =>
          run(device, c, 0.1, 'f32', given, backward),
        ),
        await withDevice({ isa, threads: 1 }, (device) => run(device, c, 0.1, 'bf16', given, backward)),
      ]
      const close = (name: string, x: Float32Array, y: Float32Array, times: number) => {
        const largest = y.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
        allclose(x, y, { rtol: 0, atol: times * 2 ** -9 * largest, name })
      }
      close('y', found.outputs[0], want.outputs[0], 2)
      allclose(found.outputs[1], want.outputs[1], { rtol: 1e-5, atol: 2e-6, name: 'lse' })
      for (const [part, name] of backward ? ['dq', 'dk', 'dv'].entries() : []) {
        const of = (all: Float32Array) => all.filter((_, i) => Math.floor((i % 768) / 256) === part)
        close(name, of(found.gradients.qkv), of(want.gradients.qkv), 3)
      }
    }
    const name = `bf16: ${S} rows do not fit the working memory at once${causal ? ', causal' : ''} (${isa})`
    test(name, onSet(isa, judge))
  }

test.run()
