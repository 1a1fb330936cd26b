/** The configuration of TensorFlow checkpoints: from files beside them, from shapes, and from what is asked for. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UsageError } from '../../../src/error.js'
import { readTensorflow, tensorflowConfiguration } from '../../../src/model/formats/tensorflow.js'
import { parseOriginalConfig } from '../../../src/model/formats/tensorflow_config.js'
import { temporaryFolder } from '../../support/temporary.js'
import { checkpoints, copied, message, shape, written } from '../../support/tensorflow_case.js'

const test = suite('configuration of TensorFlow checkpoints')

const sizes = {
  hidden_size: 16,
  intermediate_size: 24,
  max_position_embeddings: 12,
  num_attention_heads: 2,
  num_hidden_layers: 3,
  type_vocab_size: 2,
  vocab_size: 37,
  embedding_size: 6,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
}
const original = (changed: object) =>
  parseOriginalConfig(JSON.stringify({ ...sizes, ...changed }), 'albert_config.json', 'albert')

test("the original's gelu is the tanh form for ALBERT, whatever Hugging Face calls so; where model_type is said it is Hugging Face's", () => {
  assert.is(original({}).config.gelu, 'tanh')
  assert.is(original({ model_type: 'albert' }).config.gelu, 'erf')
  assert.is(original({ model_type: 'bert' }).config.modelType, 'bert')
  assert.is(parseOriginalConfig(JSON.stringify(sizes), 'bert_config.json', 'bert').config.gelu, 'erf')
  assert.is(original({}).config.layerNormEps, 1e-12)
})

test('what the original would compute otherwise is refused by name', () => {
  assert.match(
    message(() => original({ net_structure_type: 1 })),
    /albert_config\.json: found net_structure_type 1, expected 0/,
  )
  assert.match(
    message(() => original({ vocab_size: 'many' })),
    /vocab_size/,
  )
  assert.match(
    message(() => parseOriginalConfig('{', 'x.json', 'bert')),
    /x\.json: found .*, expected a JSON object/,
  )
  assert.match(
    message(() => parseOriginalConfig('[]', 'x.json', 'bert')),
    /x\.json: found /,
  )
})

test('shapes tell all but layers and heads, which are asked for by name', () => {
  const bare = copied((dir) => rmSync(join(dir, 'albert_config.json')))
  const weights = readTensorflow(bare)
  assert.match(
    message(() => tensorflowConfiguration(bare, weights), UsageError),
    /no albert_config\.json .*\(hidden size 16, intermediate size 24\) do not tell the number of layers \(--layers\) and the number of heads \(--heads\)$/,
  )
  assert.match(
    message(() => tensorflowConfiguration(bare, weights, { layers: 3 }), UsageError),
    /do not tell the number of heads \(--heads\)$/,
  )
  assert.match(
    message(() => tensorflowConfiguration(bare, weights, { layers: 3, heads: 5 }), UsageError),
    /multiple of the 5 heads/,
  )
  const { config } = tensorflowConfiguration(bare, weights, { layers: 3, heads: 2 })
  const { config: said } = tensorflowConfiguration(checkpoints.albert, weights)
  assert.equal({ ...config, heads: said.heads }, said)
})

test('the layers of BERT are counted, and what is asked for beside them has to agree', () => {
  const weights = readTensorflow(checkpoints.bert)
  const bare = join(temporaryFolder(), 'bert_model.ckpt')
  assert.is(tensorflowConfiguration(bare, weights, { heads: 3 }).config.layers, 2)
  assert.match(
    message(() => tensorflowConfiguration(bare, weights, { heads: 3, layers: 4 }), UsageError),
    /has 2 layers, but 4 are asked for/,
  )
  const gap = new Map(
    [...weights.tensors].map(([name, tensor]) => [name.replace('layer.1.', 'layer.7.'), tensor]),
  )
  assert.match(
    message(() => tensorflowConfiguration(bare, { ...weights, tensors: gap }, { heads: 3 })),
    /found 2 layers, the last of them layer_7/,
  )
})

/** Weights of an ALBERT of a preset's width, which no file holds. */
function wide(hidden: number, intermediate: number) {
  const block = 'bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/dense/kernel'
  const folder = written({
    'bert/embeddings/word_embeddings': shape(9, 4),
    'bert/embeddings/position_embeddings': shape(5, 4),
    'bert/embeddings/token_type_embeddings': shape(2, 4),
    [block]: shape(hidden, intermediate),
  })
  return { folder, weights: readTensorflow(folder) }
}

test('a preset gives layers and heads where its sizes are those of the weights, and is proposed where they are', () => {
  const { folder, weights } = wide(64, 256)
  assert.match(
    message(() => tensorflowConfiguration(folder, weights), UsageError),
    /--preset nano has these sizes, with 2 layers and 4 heads/,
  )
  const { config } = tensorflowConfiguration(folder, weights, { preset: 'nano' })
  assert.equal([config.layers, config.heads, config.maxPositions, config.embeddingSize], [2, 4, 5, 4])
  for (const preset of ['base', 'bert-nano'])
    assert.match(
      message(() => tensorflowConfiguration(folder, weights, { preset }), UsageError),
      new RegExp(`preset ${preset} is .* but these weights are albert with 64 and 256`),
    )
  assert.match(
    message(() => tensorflowConfiguration(folder, weights, { preset: 'huge' }), UsageError),
    /preset huge is not known/,
  )
})

test('weights that are no whole encoder cannot be guessed', () => {
  const folder = written({ 'bert/encoder/layer_0/output/dense/kernel': shape(2, 2) })
  assert.match(
    message(() => tensorflowConfiguration(folder, readTensorflow(folder))),
    /found nothing that is 'bert\.embeddings\.word_embeddings\.weight'/,
  )
})

test('a configuration that is named is taken, and sizes beside one are refused', () => {
  const bare = copied((dir) => renameSync(join(dir, 'albert_config.json'), join(dir, 'mine.json')))
  const weights = readTensorflow(bare)
  const file = join(bare, 'mine.json')
  assert.is(tensorflowConfiguration(bare, weights, { file }).config.layers, 3)
  assert.match(
    message(() => tensorflowConfiguration(bare, weights, { file, heads: 2 }), UsageError),
    /mine\.json says how many layers and heads there are/,
  )
  assert.match(
    message(() => tensorflowConfiguration(bare, weights, { file: join(bare, 'no.json') })),
    /no\.json: found no such file/,
  )
})

test('a file beside the weights that is far too large is not read', () => {
  const folder = copied((dir) => writeFileSync(join(dir, 'albert_config.json'), ' '.repeat(2 ** 20 + 1)))
  assert.match(
    message(() => tensorflowConfiguration(folder, readTensorflow(folder))),
    /albert_config\.json: found 1048577 bytes/,
  )
})

test.run()
