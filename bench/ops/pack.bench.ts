/** What weights are packed for: the products of linear in bf16, timed without the packing. */
import { linear } from '../../src/ops/linear.js'
import { products } from '../shapes.js'
import { benchOp, narrow, packed, sum, weight } from '../support/op.js'

for (const [name, { M, K, N }] of Object.entries(products))
  await benchOp(`bf16_${name}`, linear, {
    inputs: { x: narrow(M, K), weight: packed(N, K), bias: weight(N) },
    attrs: {},
    expected: ({ x, weight: w, bias, dy }) => ({
      y: (i) => bias[i % N] + sum(K, (k) => x[Math.floor(i / N) * K + k] * w[(i % N) * K + k]),
      dx: (i) => sum(N, (n) => dy[Math.floor(i / K) * N + n] * w[n * K + (i % K)]),
      dweight: (i) => sum(M, (m) => dy[m * N + Math.floor(i / K)] * x[m * K + (i % K)]),
      dbias: (i) => sum(M, (m) => dy[m * N + i]),
    }),
  })
