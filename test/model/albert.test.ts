/** ALBERT against transformers in float64: outputs, every gradient by name, ten LAMB and ten AdamW steps. */
import { suite } from 'uvu'
import { checkParity } from '../support/parity.js'

const test = suite('albert')

for (const name of [
  'pretraining',
  'pretraining_one_head',
  'pretraining_full_d64',
  'token_classification',
  'token_classification_odd',
])
  checkParity(test, 'albert', name)

test.run()
