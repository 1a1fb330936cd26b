import { layernorm } from '../../src/ops/layernorm.js'
import { rows } from '../shapes.js'
import { normOracle } from '../support/norm.js'
import { activation, benchOp, sum, weight } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [name, { N, H }] of Object.entries({ base_1024, base_4096 }))
  await benchOp(name, layernorm, {
    inputs: { x: activation(N, H), weight: weight(H), bias: weight(H) },
    attrs: { eps: 1e-12 },
    expected({ x, weight: w, bias, dy }) {
      const row = normOracle(
        H,
        1e-12,
        (n, h) => x[n * H + h],
        (n, h) => dy[n * H + h] * w[h],
      )
      return {
        y: (i) => row.normalized(Math.floor(i / H), i % H) * w[i % H] + bias[i % H],
        rstd: row.rstd,
        dx: (i) => row.dx(Math.floor(i / H), i % H),
        dweight: (h) => sum(N, (n) => dy[n * H + h] * row.normalized(n, h)),
        dbias: (h) => sum(N, (n) => dy[n * H + h]),
      }
    },
  })
