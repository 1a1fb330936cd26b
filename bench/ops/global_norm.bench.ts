import { segmentTables } from '../../src/graph/segments.js'
import { globalNorm } from '../../src/ops/global_norm.js'
import { random } from '../../test/support/random.js'
import { benchOp, fixed, sum } from '../support/op.js'
import { baseParameters } from '../support/update.js'

const set = baseParameters()
const { table, chunkCount } = segmentTables(set)
await benchOp('base', globalNorm, {
  inputs: {
    gradients: fixed(random(1).uniforms(set.arenaElements, -1, 1), set.arenaElements),
    table: fixed(table, chunkCount, 3),
  },
  attrs: {},
  expected({ gradients }) {
    const square = set.segments.map(({ offset, size }) => sum(size, (i) => gradients[offset + i] ** 2))
    return { norm: () => Math.sqrt(square.reduce((a, b) => a + b, 0)) }
  },
})
