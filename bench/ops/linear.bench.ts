import { linear } from '../../src/ops/linear.js'
import { products } from '../shapes.js'
import { linearExpected } from '../support/linear.js'
import { activation, benchOp, weight } from '../support/op.js'

for (const [name, { M, K, N }] of Object.entries(products))
  await benchOp(name, linear, {
    inputs: { x: activation(M, K), weight: weight(N, K), bias: weight(N) },
    attrs: {},
    expected: linearExpected(M, K, N),
  })
