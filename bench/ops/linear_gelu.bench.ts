import { linearGelu } from '../../src/ops/linear_gelu.js'
import { products } from '../shapes.js'
import { activation, benchOp, sum, weight } from '../support/op.js'

const c = Math.sqrt(2 / Math.PI)
const gelu = (z: number) => 0.5 * z * (1 + Math.tanh(c * (z + 0.044715 * z ** 3)))
function slope(z: number): number {
  const t = Math.tanh(c * (z + 0.044715 * z ** 3))
  return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)
}

const { base_intermediate_1024, base_intermediate_4096 } = products
for (const [name, { M, K, N }] of Object.entries({ base_intermediate_1024, base_intermediate_4096 }))
  await benchOp(name, linearGelu, {
    inputs: { x: activation(M, K), weight: weight(N, K), bias: weight(N) },
    attrs: {},
    expected({ x, weight: w, bias, dy }) {
      const z = (m: number, n: number) => bias[n] + sum(K, (k) => x[m * K + k] * w[n * K + k])
      const dz = (m: number, n: number) => dy[m * N + n] * slope(z(m, n))
      return {
        z: (i) => z(Math.floor(i / N), i % N),
        y: (i) => gelu(z(Math.floor(i / N), i % N)),
        dx: (i) => sum(N, (n) => dz(Math.floor(i / K), n) * w[n * K + (i % K)]),
        dweight: (i) => sum(M, (m) => dz(m, Math.floor(i / K)) * x[m * K + (i % K)]),
        dbias: (i) => sum(M, (m) => dz(m, i)),
      }
    },
  })
