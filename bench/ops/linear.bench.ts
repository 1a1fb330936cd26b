import { linear } from '../../src/ops/linear.js'
import { products } from '../shapes.js'
import { linearExpected } from '../support/linear.js'
import { activation, benchOp, narrow, packed, weight } from '../support/op.js'
import { pytorchOps, raceOp } from '../support/op_race.js'

for (const [name, { M, K, N }] of Object.entries(products))
  await benchOp(name, linear, {
    inputs: { x: activation(M, K), weight: weight(N, K), bias: weight(N) },
    attrs: {},
    expected: linearExpected(M, K, N),
  })

// forward and backward beside PyTorch's, which has two ways to its products in f32
for (const [name, { M, K, N }] of Object.entries(products))
  await raceOp(`linear ${name}`, linear, {
    ours: [
      {
        precision: 'f32',
        inputs: { x: activation(M, K), weight: weight(N, K), bias: weight(N) },
        attrs: {},
      },
      {
        precision: 'bf16',
        inputs: { x: narrow(M, K), weight: packed(N, K), bias: weight(N) },
        attrs: {},
      },
    ],
    peers: [
      ...pytorchOps,
      { name: 'PyTorch f32 with oneDNN', precision: 'f32', script: 'ops.py', linear: 'onednn' },
    ],
    op: 'linear',
    sizes: [M, K, N],
    results: ['y', 'dx', 'dweight', 'dbias'],
  })
