import { copy } from '../../src/ops/copy.js'
import { attentions } from '../shapes.js'
import { activation, benchOp } from '../support/op.js'

const { base_8x128, base_8x512 } = attentions
for (const [name, { B, S, A, D }] of Object.entries({ base_8x128, base_8x512 })) {
  const H = A * D
  await benchOp(`heads_${name}`, copy, {
    // x is [B,S,A,D], y [B,A,S,D]
    inputs: { x: activation(B, S, A, D) },
    attrs: { shape: [B, A, S, D], strides: [S * H, D, H, 1], offset: 0 },
    expected: ({ x, dy }) => ({
      y(i) {
        const [b, a, s] = [Math.floor(i / (S * H)), Math.floor(i / (S * D)) % A, Math.floor(i / D) % S]
        return x[b * S * H + s * H + a * D + (i % D)]
      },
      dx(i) {
        const [b, s, a] = [Math.floor(i / (S * H)), Math.floor(i / H) % S, Math.floor(i / D) % A]
        return dy[b * S * H + a * S * D + s * D + (i % D)]
      },
    }),
  })
}
