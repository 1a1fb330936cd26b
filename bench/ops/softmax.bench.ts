import { softmax } from '../../src/ops/softmax.js'
import { activation, benchOp, once, sum } from '../support/op.js'

/** Attention's scores of 1024 and 4096 rows with 12 heads, and rows of logits. */
const shapes = {
  scores_8x128: { N: 12 * 1024, C: 128, log: false },
  scores_8x512: { N: 12 * 4096, C: 512, log: false },
  logits_160: { N: 160, C: 30000, log: true },
}
for (const [name, { N, C, log }] of Object.entries(shapes))
  await benchOp(name, softmax, {
    inputs: { x: activation(N, C) },
    attrs: { log },
    expected({ x, dy }) {
      const lse = once((n) => Math.log(sum(C, (c) => Math.exp(x[n * C + c]))))
      const logarithm = (n: number, c: number) => x[n * C + c] - lse(n)
      const y = (n: number, c: number) => Math.exp(logarithm(n, c))
      const inner = once((n) => sum(C, (c) => dy[n * C + c] * (log ? 1 : y(n, c))))
      return {
        y: (i) => (log ? logarithm : y)(Math.floor(i / C), i % C),
        dx(i) {
          const [n, c] = [Math.floor(i / C), i % C]
          return log ? dy[i] - y(n, c) * inner(n) : y(n, c) * (dy[i] - inner(n))
        },
      }
    },
  })
