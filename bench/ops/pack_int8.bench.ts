/** What weights are packed for: the products of linear on 8-bit integers, timed with the quantising of x, without the packing. */
import { linear } from '../../src/ops/linear.js'
import { products } from '../shapes.js'
import { linearExpected } from '../support/linear.js'
import { benchOp, fixed, packedInt8, uniform } from '../support/op.js'

for (const [name, { M, K, N }] of Object.entries(products))
  await benchOp(`int8_${name}`, linear, {
    // no gradients, so no operand of the role activation
    inputs: { x: fixed(uniform(1, [M, K]), M, K), weight: packedInt8(N, K), bias: fixed(uniform(3, [N]), N) },
    attrs: {},
    expected: linearExpected(M, K, N),
  })
