import { fill } from '../../src/ops/fill.js'
import { rows } from '../shapes.js'
import { benchOp } from '../support/op.js'

for (const [name, { N, H }] of Object.entries(rows))
  await benchOp(name, fill, {
    inputs: {},
    attrs: { shape: [N, H], value: 1.5 },
    expected: () => ({ y: () => 1.5 }),
  })
