import { type BinaryFunction, binary } from '../../src/ops/binary.js'
import { rows } from '../shapes.js'
import { activation, benchOp, sum, weight } from '../support/op.js'

/** Functions and their derivatives. */
type Slope = (a: number, b: number) => number
const functions: [BinaryFunction, Slope, Slope, Slope][] = [
  ['mul', (a, b) => a * b, (_, b) => b, (a) => a],
  ['max', (a, b) => Math.max(a, b), (a, b) => (a >= b ? 1 : 0), (a, b) => (a < b ? 1 : 0)],
]
const { base_1024, base_4096 } = rows
for (const [shape, { N, H }] of Object.entries({ base_1024, base_4096 })) {
  for (const [fn, f, byA, byB] of functions)
    await benchOp(`${fn}_${shape}`, binary, {
      inputs: { a: activation(N, H), b: activation(N, H) },
      attrs: { fn },
      expected: ({ a, b, dy }) => ({
        y: (i) => f(a[i], b[i]),
        da: (i) => dy[i] * byA(a[i], b[i]),
        db: (i) => dy[i] * byB(a[i], b[i]),
      }),
    })
  // a bias: the gradient is a sum over rows
  await benchOp(`add_bias_${shape}`, binary, {
    inputs: { a: activation(N, H), b: weight(H) },
    attrs: { fn: 'add' },
    expected: ({ a, b, dy }) => ({
      y: (i) => a[i] + b[i % H],
      da: (i) => dy[i],
      db: (h) => sum(N, (n) => dy[n * H + h]),
    }),
  })
}
