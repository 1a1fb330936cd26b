import { dropout } from '../../src/ops/dropout.js'
import { rows } from '../shapes.js'
import { activation, benchOp, dropoutFactor } from '../support/op.js'

const p = 0.1
for (const [name, { N, H }] of Object.entries(rows))
  await benchOp(name, dropout, {
    inputs: { x: activation(N, H) },
    attrs: { p, stream: 7 },
    expected: ({ x, dy }) => ({
      y: (i) => x[i] * dropoutFactor(p, 7, 0, i),
      dx: (i) => dy[i] * dropoutFactor(p, 7, 0, i),
    }),
  })
