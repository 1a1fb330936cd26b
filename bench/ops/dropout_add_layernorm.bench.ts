import { dropoutAddLayernorm } from '../../src/ops/dropout_add_layernorm.js'
import { rows } from '../shapes.js'
import { normOracle } from '../support/norm.js'
import { activation, benchOp, dropoutFactor, sum, weight } from '../support/op.js'

const { base_1024, base_4096 } = rows
const shapes = {
  base_1024: { ...base_1024, p: 0 },
  base_4096: { ...base_4096, p: 0 },
  base_1024_dropout: { ...base_1024, p: 0.1 },
}
for (const [name, { N, H, p }] of Object.entries(shapes))
  await benchOp(name, dropoutAddLayernorm, {
    inputs: { x: activation(N, H), residual: activation(N, H), weight: weight(H), bias: weight(H) },
    attrs: { eps: 1e-12, p, stream: 2 },
    expected({ x, residual, weight: w, bias, dy }) {
      const factor = (n: number, h: number) => dropoutFactor(p, 2, n, h)
      const total = (n: number, h: number) => residual[n * H + h] + factor(n, h) * x[n * H + h]
      const row = normOracle(H, 1e-12, total, (n, h) => dy[n * H + h] * w[h])
      return {
        y: (i) => row.normalized(Math.floor(i / H), i % H) * w[i % H] + bias[i % H],
        sum: (i) => total(Math.floor(i / H), i % H),
        dx: (i) => row.dx(Math.floor(i / H), i % H) * factor(Math.floor(i / H), i % H),
        dresidual: (i) => row.dx(Math.floor(i / H), i % H),
        dbias: (h) => sum(N, (n) => dy[n * H + h]),
        // every mask of the batch is too much for the slow generator
        ...(p === 0 && { dweight: (h) => sum(N, (n) => dy[n * H + h] * row.normalized(n, h)) }),
      }
    },
  })
