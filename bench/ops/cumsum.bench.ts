import { cumsum } from '../../src/ops/cumsum.js'
import { random } from '../../test/support/random.js'
import { rows } from '../shapes.js'
import { activation, benchOp, sum } from '../support/op.js'

const { base_1024, base_4096 } = rows
for (const [shape, { N, H }] of Object.entries({ base_1024, base_4096 })) {
  // of one sign, so that no sum is small beside its terms
  const x = { ...activation(N, H), data: random(4).uniforms(N * H, 0.1, 1) }
  await benchOp(`in_rows_${shape}`, cumsum, {
    inputs: { x },
    attrs: { axis: 1, reverse: false },
    expected: ({ x, dy }) => ({
      y: (i) => sum((i % H) + 1, (k) => x[i - k]),
      dx: (i) => sum(H - (i % H), (k) => dy[i + k]),
    }),
  })
  await benchOp(`of_rows_${shape}`, cumsum, {
    inputs: { x },
    attrs: { axis: 0, reverse: false },
    expected: ({ x, dy }) => ({
      y: (i) => sum(Math.floor(i / H) + 1, (k) => x[i - k * H]),
      dx: (i) => sum(N - Math.floor(i / H), (k) => dy[i + k * H]),
    }),
  })
}
