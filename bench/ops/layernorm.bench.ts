import { layernorm } from '../../src/ops/layernorm.js'
import { rows } from '../shapes.js'
import { layernormExpected } from '../support/norm.js'
import { activation, benchOp, weight } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [name, { N, H }] of Object.entries({ base_1024, base_4096 }))
  await benchOp(name, layernorm, {
    inputs: { x: activation(N, H), weight: weight(H), bias: weight(H) },
    attrs: { eps: 1e-12 },
    expected: layernormExpected(N, H, 1e-12),
  })
