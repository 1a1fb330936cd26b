import { attention } from '../../src/ops/attention.js'
import { attentionRaces, attentions } from '../shapes.js'
import { attentionExpected } from '../support/attention.js'
import { activation, benchOp, fixed, narrow } from '../support/op.js'
import { pytorchOps, raceOp } from '../support/op_race.js'

const startsOf = (B: number, S: number) => Array.from({ length: B + 1 }, (_, b) => b * S)

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
      cu_seqlens: fixed(Int32Array.from(startsOf(B, S)), B + 1),
    },
    attrs: { heads: A, sequences: B, p, stream: 1, causal },
    expected: attentionExpected({ starts: startsOf(B, S), A, D, p, stream: 1, causal }),
  })
}

// forward and backward beside PyTorch's scaled_dot_product_attention
for (const [name, { B, S, A, D }] of Object.entries(attentionRaces)) {
  const starts = fixed(Int32Array.from(startsOf(B, S)), B + 1)
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
