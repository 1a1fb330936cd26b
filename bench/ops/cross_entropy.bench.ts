import { crossEntropy } from '../../src/ops/cross_entropy.js'
import { activation, benchOp, indexes, once, sum } from '../support/op.js'

/** Masked rows against the vocabulary; rows against the tags of named entities. */
const shapes = {
  vocabulary_160: { N: 160, C: 30000 },
  vocabulary_640: { N: 640, C: 30000 },
  tags_4096: { N: 4096, C: 3 },
}
for (const [name, { N, C }] of Object.entries(shapes))
  await benchOp(name, crossEntropy, {
    inputs: { logits: activation(N, C), labels: indexes(0, C, N) },
    attrs: {},
    expected({ logits, labels, dloss }) {
      const lse = once((n) => Math.log(sum(C, (c) => Math.exp(logits[n * C + c]))))
      return {
        loss: (n) => lse(n) - logits[n * C + labels[n]],
        lse,
        dlogits(i) {
          const n = Math.floor(i / C)
          return dloss[n] * (Math.exp(logits[i] - lse(n)) - (i % C === labels[n] ? 1 : 0))
        },
      }
    },
  })
