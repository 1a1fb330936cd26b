import { linearGelu } from '../../src/ops/linear_gelu.js'
import { products } from '../shapes.js'
import { linearGeluExpected } from '../support/linear.js'
import { activation, benchOp, weight } from '../support/op.js'

const { base_intermediate_1024, base_intermediate_4096 } = products
for (const [name, { M, K, N }] of Object.entries({ base_intermediate_1024, base_intermediate_4096 }))
  await benchOp(name, linearGelu, {
    inputs: { x: activation(M, K), weight: weight(N, K), bias: weight(N) },
    attrs: {},
    expected: linearGeluExpected(M, K, N),
  })
