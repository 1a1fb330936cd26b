import { linearCrossEntropy } from '../../src/ops/linear_cross_entropy.js'
import { vocabularies } from '../shapes.js'
import { benchOp } from '../support/op.js'
import { vocabularyCase } from '../support/vocabulary.js'

for (const [name, { M, E, V }] of Object.entries(vocabularies))
  await benchOp(name, linearCrossEntropy, vocabularyCase(M, E, V))
