import { where } from '../../src/ops/where.js'
import { random } from '../../test/support/random.js'
import { rows } from '../shapes.js'
import { activation, benchOp, fixed } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [name, { N, H }] of Object.entries({ base_1024, base_4096 }))
  await benchOp(name, where, {
    inputs: {
      cond: fixed(random(3).integers(N * H, 0, 2), N, H),
      a: activation(N, H),
      b: activation(N, H),
    },
    attrs: {},
    expected: ({ cond, a, b, dy }) => ({
      y: (i) => (cond[i] !== 0 ? a[i] : b[i]),
      da: (i) => (cond[i] !== 0 ? dy[i] : 0),
      db: (i) => (cond[i] !== 0 ? 0 : dy[i]),
    }),
  })
