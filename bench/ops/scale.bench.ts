import { scale } from '../../src/ops/scale.js'
import { rows } from '../shapes.js'
import { activation, benchOp } from '../support/op.js'

for (const [name, { N, H }] of Object.entries(rows))
  await benchOp(name, scale, {
    inputs: { x: activation(N, H) },
    attrs: { by: 0.5, scalar: 'factor' },
    scalars: { factor: 3 },
    expected: ({ x, dy }) => ({ y: (i) => 1.5 * x[i], dx: (i) => 1.5 * dy[i] }),
  })
