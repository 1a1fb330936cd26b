import { clip } from '../../src/ops/clip.js'
import { rows } from '../shapes.js'
import { activation, benchOp } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [name, { N, H }] of Object.entries({ base_1024, base_4096 }))
  await benchOp(name, clip, {
    inputs: { x: activation(N, H) },
    attrs: { low: -1, high: 0.5 },
    expected: ({ x, dy }) => ({
      y: (i) => Math.min(0.5, Math.max(-1, x[i])),
      dx: (i) => (x[i] >= -1 && x[i] <= 0.5 ? dy[i] : 0),
    }),
  })
