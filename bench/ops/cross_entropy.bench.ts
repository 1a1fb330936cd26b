import { crossEntropy } from '../../src/ops/cross_entropy.js'
import { activation, benchOp, indexes } from '../support/op.js'
import { crossEntropyExpected } from '../support/vocabulary.js'

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
    expected: crossEntropyExpected(C),
  })
