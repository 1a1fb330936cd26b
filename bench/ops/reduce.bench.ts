import { reduce } from '../../src/ops/reduce.js'
import { rows } from '../shapes.js'
import { activation, benchOp, once, sum } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [shape, { N, H }] of Object.entries({ base_1024, base_4096 })) {
  await benchOp(`sum_of_rows_${shape}`, reduce, {
    inputs: { x: activation(N, H) },
    attrs: { fn: 'sum', axis: 0, keep: false },
    expected: ({ x, dy }) => ({ y: (h) => sum(N, (n) => x[n * H + h]), dx: (i) => dy[i % H] }),
  })
  await benchOp(`mean_in_rows_${shape}`, reduce, {
    inputs: { x: activation(N, H) },
    attrs: { fn: 'mean', axis: 1, keep: false },
    expected: ({ x, dy }) => ({
      y: (n) => sum(H, (h) => x[n * H + h]) / H,
      dx: (i) => dy[Math.floor(i / H)] / H,
    }),
  })
  await benchOp(`max_in_rows_${shape}`, reduce, {
    inputs: { x: activation(N, H) },
    attrs: { fn: 'max', axis: 1, keep: false },
    sample: (result, draw) => (result === 'dx' ? draw.integer(N) * H + draw.integer(H) : undefined),
    expected({ x, dy }) {
      const top = once((n) => {
        let best = 0
        for (let h = 1; h < H; h++) if (x[n * H + h] > x[n * H + best]) best = h
        return best
      })
      return {
        y: (n) => x[n * H + top(n)],
        dx: (i) => (i % H === top(Math.floor(i / H)) ? dy[Math.floor(i / H)] : 0),
      }
    },
  })
}
