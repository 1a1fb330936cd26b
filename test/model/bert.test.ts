/** BERT against transformers in float64, and what is its own: stacked weights, embeddings of the hidden size. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { calls } from '../../src/device/program.js'
import { compile } from '../../src/graph/runtime.js'
import { checkConfig, preset } from '../../src/model/config.js'
import { DEFAULT_OPTIMIZER } from '../../src/training/optimizer.js'
import { pretrainingPrograms } from '../../src/training/pretraining/programs.js'
import { isJudged } from '../support/op_check.js'
import { checkParity } from '../support/parity.js'

const test = suite('bert')

const all = ['pretraining', 'pretraining_one_layer', 'pretraining_deep', 'token_classification']
for (const name of isJudged() ? ['pretraining_one_layer'] : all) checkParity(test, 'bert', name)

function programs(layers: number) {
  const config = preset('bert-nano', 50, { layers })
  const capacity = { rows: 32, sequences: 2, masked: 4 }
  const { parameters, graphs } = pretrainingPrograms(config, capacity, DEFAULT_OPTIMIZER)
  return { parameters, program: compile(graphs).get('step')!.program }
}

test('the program is as long for nine layers as for one, and each layer has tensors of its own', () => {
  const [one, nine] = [programs(1), programs(9)]
  const labels = ({ program }: typeof one) => [...calls(program)].map((call) => call.label)
  assert.equal(labels(nine), labels(one))
  const tensorsOf = ({ parameters }: typeof one) => parameters.segments.length
  assert.is(tensorsOf(nine) - tensorsOf(one), 8 * 16)
  assert.is(nine.parameters.all.length, one.parameters.all.length)
  const { segments } = nine.parameters
  const key = segments.find((s) => s.name === 'bert.encoder.layer.8.attention.self.key.weight')
  const bias = segments.find((s) => s.name === 'bert.encoder.layer.8.attention.self.key.bias')
  assert.equal([key?.shape, key?.decay, key?.adapt], [[64, 64], true, true])
  assert.equal([bias?.shape, bias?.decay, bias?.adapt], [[64], false, false])
})

test('embeddings of another size than the hidden one are refused', () => {
  const config = preset('bert-nano', 50)
  assert.is(config.embeddingSize, config.hiddenSize)
  assert.is(preset('bert-nano', 50, { hiddenSize: 96 }).embeddingSize, 96)
  assert.throws(() => checkConfig({ ...config, embeddingSize: 32 }), /embeddingSize is 32 .*hidden size 64/)
})

test.run()
