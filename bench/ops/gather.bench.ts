import { gather } from '../../src/ops/gather.js'
import { random } from '../../test/support/random.js'
import { activation, benchOp, indexes, sum, weight } from '../support/op.js'

/** Masked rows of a batch, and rows of a table of embeddings. */
const shapes = {
  masked_160_of_1024: { M: 160, x: activation(1024, 768) },
  masked_640_of_4096: { M: 640, x: activation(4096, 768) },
  embedding_4096: { M: 4096, x: weight(30000, 128) },
}
for (const [name, { M, x }] of Object.entries(shapes)) {
  const [N, H] = x.shape
  const index = random(M).integers(M, 0, N)
  await benchOp(name, gather, {
    inputs: { x, index: indexes(0, N, M) },
    attrs: {},
    sample: (result, draw) => (result === 'dx' ? index[draw.integer(M)] * H + draw.integer(H) : undefined),
    expected: ({ x, dy }) => ({
      y: (i) => x[index[Math.floor(i / H)] * H + (i % H)],
      dx: (i) => sum(M, (m) => (index[m] === Math.floor(i / H) ? dy[m * H + (i % H)] : 0)),
    }),
  })
}
