import { cast } from '../../src/ops/cast.js'
import { activation, benchOp } from '../support/op.js'

for (const rows of [1024, 4096])
  await benchOp(`${rows}x768`, cast, {
    inputs: { x: activation(rows, 768) },
    attrs: { to: 'bf16' },
    expected: ({ x, dy }) => ({ y: (i) => x[i], dx: (i) => dy[i] }),
  })
