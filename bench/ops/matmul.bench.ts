import { matmul } from '../../src/ops/matmul.js'
import { attentions, products } from '../shapes.js'
import { activation, benchOp, sum } from '../support/op.js'
import { raceOp } from '../support/op_race.js'

const { B, A, S, D } = attentions.base_8x128
const { base_attention_1024, base_intermediate_4096, square_1024, odd_333 } = products
/** batch x (M x K times K x N), b given as N x K where it is transposed. */
const shapes = {
  base_attention_1024: { batch: 1, ...base_attention_1024, transposeB: false },
  base_intermediate_4096: { batch: 1, ...base_intermediate_4096, transposeB: false },
  scores_8x128: { batch: B * A, M: S, K: D, N: S, transposeB: true },
  square_1024: { batch: 1, ...square_1024, transposeB: false },
  odd_333: { batch: 1, ...odd_333, transposeB: true },
}
for (const [name, { batch, M, K, N, transposeB }] of Object.entries(shapes))
  await benchOp(name, matmul, {
    inputs: { a: activation(batch, M, K), b: activation(batch, ...(transposeB ? [N, K] : [K, N])) },
    attrs: { transposeA: false, transposeB },
    expected({ a, b, dy }) {
      const at = (t: number, k: number, n: number) => t * K * N + (transposeB ? n * K + k : k * N + n)
      return {
        y(i) {
          const [row, n] = [Math.floor(i / N), i % N]
          return sum(K, (k) => a[row * K + k] * b[at(Math.floor(row / M), k, n)])
        },
        da(i) {
          const [row, k] = [Math.floor(i / K), i % K]
          return sum(N, (n) => dy[row * N + n] * b[at(Math.floor(row / M), k, n)])
        },
        db(i) {
          const [t, rest] = [Math.floor(i / (K * N)), i % (K * N)]
          const [k, n] = transposeB ? [rest % K, Math.floor(rest / K)] : [Math.floor(rest / N), rest % N]
          return sum(M, (m) => a[(t * M + m) * K + k] * dy[(t * M + m) * N + n])
        },
      }
    },
  })

// one product beside those of PyTorch and of two libraries in WebAssembly
const { M, K, N } = products.square_512
await raceOp('matmul square_512', matmul, {
  ours: [
    {
      precision: 'f32',
      inputs: { a: activation(1, M, K), b: activation(1, K, N) },
      attrs: { transposeA: false, transposeB: false },
    },
  ],
  peers: [
    { name: 'PyTorch f32', precision: 'f32', script: 'ops.py' },
    {
      name: 'TensorFlow.js in WebAssembly',
      precision: 'f32',
      script: 'product_tfjs.mjs',
      npm: '@tensorflow/tfjs-backend-wasm',
    },
    { name: 'jax-js in WebAssembly', precision: 'f32', script: 'product_jaxjs.mjs', npm: '@jax-js/jax' },
  ],
  op: 'product',
  sizes: [M, K, N],
  results: ['y'],
  forwardOnly: true,
})
