/** What weights are packed for: the products of linear in bf16, timed without the packing. */
import { linear } from '../../src/ops/linear.js'
import { products } from '../shapes.js'
import { linearExpected } from '../support/linear.js'
import { benchOp, narrow, packed, weight } from '../support/op.js'

for (const [name, { M, K, N }] of Object.entries(products))
  await benchOp(`bf16_${name}`, linear, {
    inputs: { x: narrow(M, K), weight: packed(N, K), bias: weight(N) },
    attrs: {},
    expected: linearExpected(M, K, N),
  })
