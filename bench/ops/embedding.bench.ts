import { embedding } from '../../src/ops/embedding.js'
import { steps } from '../shapes.js'
import { normOracle } from '../support/norm.js'
import { benchOp, dropoutFactor, fixed, indexes, sum, weight } from '../support/op.js'

const P = 512
const T = 2
for (const { name, N, S, E, V, p } of [
  { ...steps.base_8x128, p: 0 },
  { ...steps.base_32x128, p: 0 },
  { ...steps.base_8x128, name: 'base_8x128_dropout', p: 0.1 },
]) {
  const inputs = {
    ids: indexes(0, V, N),
    segments: fixed(
      Int32Array.from({ length: N }, (_, n) => (n % S < S / 2 ? 0 : 1)),
      N,
    ),
    positions: fixed(
      Int32Array.from({ length: N }, (_, n) => n % S),
      N,
    ),
    word: weight(V, E),
    segment: weight(T, E),
    position: weight(P, E),
    weight: weight(E),
    bias: weight(E),
  }
  const ids = inputs.ids.data!
  await benchOp(name, embedding, {
    inputs,
    attrs: { eps: 1e-12, p, stream: 0 },
    // one row of each table a row of the batch, the indexes, y; backward adds onto the rows and reads dy
    sample: (result, draw) => (result === 'dword' ? ids[draw.integer(N)] * E + draw.integer(E) : undefined),
    expected({ segments, positions, word, segment, position, weight: w, bias, dy }) {
      const total = (n: number, e: number) =>
        word[ids[n] * E + e] + segment[segments[n] * E + e] + position[positions[n] * E + e]
      const factor = (n: number, e: number) => dropoutFactor(p, 0, n, e)
      const row = normOracle(E, 1e-12, total, (n, e) => dy[n * E + e] * w[e] * factor(n, e))
      const gathered = (index: ArrayLike<number>) => (i: number) =>
        sum(N, (n) => (index[n] === Math.floor(i / E) ? row.dx(n, i % E) : 0))
      return {
        y: (i) => {
          const [n, e] = [Math.floor(i / E), i % E]
          return (row.normalized(n, e) * w[e] + bias[e]) * factor(n, e)
        },
        rstd: row.rstd,
        dword: gathered(ids),
        dposition: gathered(positions),
        // all rows of the batch: too much for the slow generator of masks
        ...(p === 0 && { dsegment: gathered(segments) }),
      }
    },
  })
}
