/**
 * Attention of WebGPU at the edges of its blocks: lengths about those of blocks and tiles, sequences of no rows, rows past the last
 * sequence, head sizes with and without a form of their own. The oracle are the formulas in float64; in f16 the error is at most
 * twice, of gradients three times, that of the naive computation.
 */
import type { suite } from 'uvu'
import type { Device } from '../../src/device/device.js'
import { allclose, sameBits } from './allclose.js'
import { type AttentionCase, attentionInputs, attentionReference, keepOf } from './attention_case.js'
import { attentionPasses } from './attention_passes.js'
import { asGoodAsNaive, exact, f16, naive } from './half_case.js'

/** Blocks have 4 or 32 rows, tiles 8, 16 or 32. */
const edges = [1, 3, 0, 4, 5, 31, 0, 32, 33, 2, 65]

const cases: [AttentionCase, number][] = [
  [{ lengths: edges, heads: 3, D: 64 }, 0],
  [{ lengths: edges, heads: 3, D: 64 }, 0.2],
  [{ lengths: edges, heads: 3, D: 64, causal: true }, 0.2],
  [{ lengths: [0, 0, 100, 1, 0], heads: 1, D: 32 }, 0.1],
  [{ lengths: edges, heads: 1, D: 32, causal: true }, 0],
  [{ lengths: [7, 33, 1, 16, 17], heads: 2, D: 128 }, 0.1],
  [{ lengths: edges, heads: 3, D: 16 }, 0.2],
  [{ lengths: [9, 34], heads: 2, D: 16, causal: true }, 0],
  [{ lengths: [15, 33], heads: 1, D: 128, causal: true }, 0],
  [{ lengths: [1, 9, 0, 33], heads: 5, D: 4 }, 0.1],
  [{ lengths: [8, 34], heads: 2, D: 24, causal: true }, 0.3],
  [{ lengths: [3, 40], heads: 2, D: 7 }, 0.1],
  [{ lengths: [5, 33], heads: 1, D: 96 }, 0.1],
  [{ lengths: [9, 4, 33], heads: 1, D: 256, causal: true }, 0.1],
  // scores of about -288, beside which padding's 0 would be infinite, and some far above the first
  [{ lengths: [5, 40], heads: 2, D: 64, scale: 0.25, shift: 6 }, 0.1],
  [{ lengths: [70], heads: 1, D: 64, scale: 3 }, 0],
]

/**
 * Heads of every form that f16 has. Forms of f16 differ from those of f32 in how fours are loaded and stored, alike in all: who wants
 * less compiling takes the first ones.
 */
const halfCases: [AttentionCase, number][] = [
  [{ lengths: [7, 17], heads: 1, D: 128 }, 0],
  [{ lengths: [8, 34], heads: 2, D: 24, causal: true }, 0.3],
  [{ lengths: [5, 33, 0], heads: 2, D: 64 }, 0.2],
  [{ lengths: [34, 3], heads: 1, D: 32, causal: true }, 0.1],
  [{ lengths: [3, 40], heads: 2, D: 16, causal: true }, 0.1],
]

/** Rows past the last sequence, in which there is NaN. */
const PAST = 6

/** Tests of all cases in f32, and of the first `halves` in f16 (default: all). */
export function attentionOnWebgpu(
  test: ReturnType<typeof suite>,
  variant: string,
  device: Device,
  halves = halfCases.length,
): void {
  const everyCase = [
    ...cases.map(([c, p]) => [c, p, 'f32'] as const),
    ...halfCases.slice(0, halves).map(([c, p]) => [c, p, 'f16'] as const),
  ]
  for (const [c, p, type] of everyCase) {
    const { lengths, heads, D, causal, scale = 1, shift } = c
    const title = `${type}, ${causal ? 'causal, ' : ''}lengths ${lengths}, ${heads} heads of ${D}, p ${p}`
    test(`${variant}: ${title}: y, lse and dqkv, twice the same bits`, async () => {
      const { tensors, dy: arriving } = attentionInputs(c, 13)
      const rounded = (x: Float32Array) => (type === 'f16' ? x.map(f16) : x)
      const [x, dy] = [rounded(tensors.qkv.data), rounded(arriving)]
      const site = { p, seed: 9, draw: 4, stream: 6 }
      const want = attentionReference(c, exact, x, dy, keepOf(c, site))
      const low = type === 'f16' && attentionReference(c, naive(f16), x, dy, keepOf(c, site))
      const there = tensors.qkv.shape[0]
      const [rows, H] = [there + PAST, heads * D]
      const inputs = { qkv: x, dy, cu_seqlens: tensors.cu_seqlens }
      const once = () => attentionPasses(device, c, rows, inputs, site, type === 'f16' ? type : undefined)
      const got = await once()
      // scores of hundreds carry an error of their own size times 6e-8 into exp
      const atol = scale > 1 || shift ? 10 : 1
      for (const [name, width, rtol, least] of [
        ['y', H, 1e-5, 2e-6],
        ['lse', heads, 1e-5, 2e-6],
        ['dqkv', 3 * H, 1e-4, 1e-5],
      ] as const) {
        const all = got[name]
        const found = all.subarray(0, there * width)
        if (low) {
          asGoodAsNaive(name, found, want[name], low[name], name === 'dqkv' ? 3 : 2)
        } else allclose(found, want[name], { rtol, atol: least * atol, name })
        sameBits(all.subarray(there * width), new Float32Array(PAST * width), {
          name: `the end of ${name}`,
        })
      }
      const again = await once()
      for (const name of ['y', 'lse', 'dqkv'] as const) sameBits(again[name], got[name], { name })
    })
  }
}
