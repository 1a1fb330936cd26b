/** ALBERT against transformers in float64: outputs, every gradient by name, ten LAMB and ten AdamW steps. */
import { suite } from 'uvu'
import { isFew } from '../support/cases.js'
import { isJudged } from '../support/op_check.js'
import { checkParity } from '../support/parity.js'

const test = suite('albert')

const all = [
  'pretraining',
  'pretraining_one_head',
  'pretraining_full_d64',
  'token_classification',
  'token_classification_odd',
]
// where all is slow: one of each kind, of odd sizes
for (const name of isJudged() || isFew ? ['pretraining', 'token_classification_odd'] : all)
  checkParity(test, 'albert', name)

test.run()
