import { dropoutAddLayernorm } from '../../src/ops/dropout_add_layernorm.js'
import { rows } from '../shapes.js'
import { dropoutAddLayernormExpected } from '../support/norm.js'
import { activation, benchOp, weight } from '../support/op.js'

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
    expected: dropoutAddLayernormExpected(N, H, 1e-12, p, 2),
  })
