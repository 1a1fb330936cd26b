import { argmax } from '../../src/ops/argmax.js'
import { rows } from '../shapes.js'
import { activation, benchOp } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [shape, { N, H }] of Object.entries({ base_1024, base_4096 })) {
  /** The place of the largest of n values. */
  const place = (n: number, value: (k: number) => number) => {
    let best = 0
    for (let k = 1; k < n; k++) if (value(k) > value(best)) best = k
    return best
  }
  await benchOp(`in_rows_${shape}`, argmax, {
    inputs: { x: activation(N, H) },
    attrs: { axis: 1, keep: false },
    expected: ({ x }) => ({ y: (n) => place(H, (h) => x[n * H + h]) }),
  })
  await benchOp(`of_rows_${shape}`, argmax, {
    inputs: { x: activation(N, H) },
    attrs: { axis: 0, keep: false },
    expected: ({ x }) => ({ y: (h) => place(N, (n) => x[n * H + h]) }),
  })
}
