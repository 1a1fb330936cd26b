/**
 * Multi-head self-attention over ragged sequences: y = drop(softmax(q k^T / sqrt(D))) v per sequence and head.
 * causal: query i of a sequence sees keys 0 .. i of it.
 * qkv [N,3H] holds queries, keys and values side by side; cu_seqlens [B+1] says where sequences begin and end.
 * Saved: lse [N,A], the log of the sum of exponentials of each query's scores.
 */
import { kernel } from '../device/kernel.js'
import { ITERATION, type Sizes, SQUARES } from '../device/program.js'
import { defineOp, shapeError } from './op.js'
import { capacity, type Dim, f32, floats, param, type Spec } from './shape.js'

/** Largest head size that kernels take. */
export const HEAD_MAX = 256

/** Parameters of every op with dropout: its rate, and what its masks are drawn from. */
export const dropoutSlots = { p: 'f32', seed: 'u32', draw: 'u32', stream: 'u32', layer: 'u32' } as const

export function dropoutParams(p: number, stream: number) {
  return {
    p,
    seed: p > 0 ? { scalar: 'seed', times: 1 } : 0,
    draw: p > 0 ? { scalar: 'draw', times: 1 } : 0,
    stream,
    layer: { scalar: ITERATION, times: 1 },
  }
}

const slots = {
  rows: 'u32',
  sequences: 'u32',
  heads: 'u32',
  hidden: 'u32',
  causal: 'u32',
  ...dropoutSlots,
} as const

type AttentionAttrs = { heads: number; sequences: Dim; p: number; stream: number; causal?: boolean }

/**
 * Two products of S x S x D for each sequence and head, causal of S (S + 1) / 2 x D; where lengths are not known, those of
 * equal ones: the least.
 */
function products(
  { qkv }: Readonly<Record<string, Spec>>,
  { sequences, causal }: AttentionAttrs,
  sizes: Sizes,
): number {
  const squares = sizes[SQUARES] ?? capacity(qkv.shape[0]) ** 2 / capacity(sequences)
  const pairs = causal ? (squares + capacity(qkv.shape[0])) / 2 : squares
  return 4 * pairs * (capacity(qkv.shape[1]) / 3)
}

export const attention = defineOp<AttentionAttrs>({
  name: 'attention',
  inputs: ['qkv', 'cu_seqlens'],
  outputs: ['y', 'lse'],
  infer([qkv, cu_seqlens], { heads, sequences }) {
    const [rows, width] = qkv.shape
    const hidden = capacity(width ?? 0) / 3
    if (
      qkv.shape.length !== 2 ||
      !Number.isInteger(hidden / heads) ||
      hidden / heads > HEAD_MAX ||
      (qkv.dtype === 'f16' && (hidden / heads) % 4 !== 0) ||
      cu_seqlens.dtype !== 'i32' ||
      capacity(cu_seqlens.shape[0]) < capacity(sequences) + 1
    )
      throw shapeError(
        'attention',
        { qkv, cu_seqlens },
        `qkv [N,3H] with H a multiple of ${heads} heads of at most ${HEAD_MAX}, of f16 whole fours, cu_seqlens i32 [B+1]`,
      )
    return [floats(qkv.dtype, rows, hidden), f32(rows, heads)]
  },
  params: ({ qkv }, { heads, sequences, p, stream, causal }) => ({
    rows: param(qkv.shape[0]),
    sequences: param(sequences),
    heads,
    hidden: capacity(qkv.shape[1]) / 3,
    causal: causal ? 1 : 0,
    ...dropoutParams(p, stream),
  }),
  forward: kernel('attention_forward', { qkv: 'read', cu_seqlens: 'read', y: 'write', lse: 'write' }, slots, {
    multiplies: true,
  }),
  backward: [
    kernel(
      'attention_backward',
      { dy: 'read', qkv: 'read', cu_seqlens: 'read', y: 'read', lse: 'read', dqkv: 'write' },
      slots,
      { multiplies: true },
    ),
  ],
  flops: products,
  // five products to the two of forward: the scores are computed again
  work: (kernel, specs, attrs, sizes) =>
    kernel === 'attention_backward' ? { flops: 2.5 * products(specs, attrs, sizes) } : {},
})
