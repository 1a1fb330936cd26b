import { scatterAdd } from '../../src/ops/scatter_add.js'
import { activation, benchOp, indexes, sum } from '../support/op.js'

const shapes = {
  masked_160_to_1024: { M: 160, N: 1024, H: 768 },
  masked_640_to_4096: { M: 640, N: 4096, H: 768 },
  embedding_4096: { M: 4096, N: 30000, H: 128 },
}
for (const [name, { M, N, H }] of Object.entries(shapes))
  await benchOp(name, scatterAdd, {
    inputs: { x: activation(M, H), index: indexes(0, N, M) },
    attrs: { rows: N },
    // y is written whole, then M rows of it read and written again; backward reads M rows of dy
    expected: ({ x, index, dy }) => ({
      y: (i) => sum(M, (m) => (index[m] === Math.floor(i / H) ? x[m * H + (i % H)] : 0)),
      dx: (i) => dy[index[Math.floor(i / H)] * H + (i % H)],
    }),
  })
