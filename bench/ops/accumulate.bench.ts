import { accumulate } from '../../src/ops/accumulate.js'
import { random } from '../../test/support/random.js'
import { rows } from '../shapes.js'
import { benchOp, fixed } from '../support/op.js'

for (const [name, { N, H }] of Object.entries(rows))
  await benchOp(name, accumulate, {
    inputs: { x: fixed(random(1).uniforms(N * H), N, H), y: fixed(random(2).uniforms(N * H), N, H) },
    attrs: {},
    expected: ({ x, y }) => ({ y: (i) => y[i] + x[i] }),
  })
