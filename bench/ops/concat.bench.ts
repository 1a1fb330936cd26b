import { concat } from '../../src/ops/concat.js'
import { rows } from '../shapes.js'
import { activation, benchOp } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [name, { N, H }] of Object.entries({ base_1024, base_4096 }))
  await benchOp(name, concat, {
    inputs: { a: activation(N, H), b: activation(N, H) },
    attrs: { axis: 1 },
    // halves of dy are read, not all of it twice
    expected: ({ a, b, dy }) => ({
      y: (i) => (i % (2 * H) < H ? a : b)[Math.floor(i / (2 * H)) * H + (i % H)],
      da: (i) => dy[Math.floor(i / H) * 2 * H + (i % H)],
      db: (i) => dy[Math.floor(i / H) * 2 * H + H + (i % H)],
    }),
  })
