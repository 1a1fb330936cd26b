/**
 * Checkpoints of the original ALBERT and BERT code as models: what comes out of them against transformers with the same numbers
 * (test/golden/tensorflow_bundle.py), the names, the configuration, and how a checkpoint is found.
 */
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UsageError } from '../../../src/error.js'
import { ParameterSet } from '../../../src/graph/parameters.js'
import { openWeights, weightFormat } from '../../../src/model/formats/index.js'
import {
  isTensorflow,
  readTensorflow,
  tensorflowConfiguration,
  tensorflowVocabulary,
} from '../../../src/model/formats/tensorflow.js'
import { parseOriginalConfig } from '../../../src/model/formats/tensorflow_config.js'
import { huggingFaceName, isTrainingState } from '../../../src/model/formats/tensorflow_names.js'
import { declarePretraining } from '../../../src/model/pretraining.js'
import { loadPretrained } from '../../../src/model/weights.js'
import { openGolden } from '../../support/albert_golden.js'
import { allclose, sameBits } from '../../support/allclose.js'
import { testedIsas } from '../../support/op_check.js'
import { root } from '../../support/paths.js'
import { outputsOf } from '../../support/pretraining_outputs.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'
import { bundle } from '../../support/tensor_bundle.js'

const test = suite('TensorFlow checkpoints')
const golden = join(root, 'test/golden/tensorflow_bundle')
const checkpoints = { albert: join(golden, 'albert'), bert: join(golden, 'bert/bert_model.ckpt') }
const families = ['albert', 'bert'] as const

function message(run: () => unknown, type: typeof InputError | typeof UsageError = InputError): string {
  try {
    run()
  } catch (error) {
    assert.instance(error, type)
    return (error as Error).message
  }
  assert.unreachable('nothing was refused')
  return ''
}

for (const family of families) {
  const path = checkpoints[family]
  for (const isa of testedIsas())
    test(`${family}: what comes out is what transformers computes from the same numbers (${isa})`, async () => {
      const weights = openWeights(path)
      const { config } = tensorflowConfiguration(path, weights)
      const expected = { ...openGolden(family, 'tensorflow_bundle'), config }
      const found = await outputsOf(expected, isa, 'f32', (set) => {
        const arena = new Float32Array(set.arenaElements)
        assert.equal(loadPretrained(weights, set, arena), { missing: [], ignored: [] })
        return arena
      })
      for (const [output, values] of found)
        allclose(values, expected.floats(`outputs/${output}`), { rtol: 0, atol: 4e-6, name: output })
    })

  test(`${family}: the configuration beside the checkpoint is the one of transformers`, () => {
    const { config } = tensorflowConfiguration(path, readTensorflow(path))
    const { config: expected } = openGolden(family, 'tensorflow_bundle')
    // which in transformers is a setting of its own
    assert.equal({ ...config, classifierDropout: 0 }, { ...expected, classifierDropout: 0 })
    assert.is(config.gelu, family === 'albert' ? 'tanh' : 'erf')
  })

  test(`${family}: every tensor says what the file calls it and whether it was turned, moments are left out`, () => {
    const { tensors, leftOut = [] } = readTensorflow(path)
    for (const [name, tensor] of tensors) {
      assert.is(tensor.name, name)
      assert.is(tensor.transposed ?? false, tensor.storedAs!.endsWith('/kernel'), name)
    }
    assert.is(leftOut.length, 2 * tensors.size + 1)
    assert.ok(leftOut.includes('global_step'))
  })
}

test('a bundle is found by its folder, its prefix and each of its files', () => {
  for (const path of [
    '',
    '/model.ckpt-7',
    '/model.ckpt-7.index',
    '/model.ckpt-7.data-00000-of-00001',
    '/model.ckpt-7.meta',
  ]) {
    assert.ok(isTensorflow(checkpoints.albert + path), path)
    assert.is(weightFormat(checkpoints.albert + path).name, 'TensorFlow checkpoints')
    assert.is(readTensorflow(checkpoints.albert + path).tensors.size, 32, path)
  }
  assert.is(readTensorflow(join(golden, 'bert')).tensors.size, 46)
  assert.not.ok(isTensorflow(join(root, 'test/golden/albert')))
  assert.not.ok(isTensorflow('model.safetensors.index.json'))
})

/** A copy of ALBERT's golden folder that may be changed. */
function copied(change: (folder: string) => void): string {
  const folder = temporaryFolder()
  cpSync(checkpoints.albert, folder, { recursive: true })
  change(folder)
  return folder
}

const renamed = (folder: string, to: string) => {
  for (const suffix of ['.index', '.data-00000-of-00001'])
    cpSync(join(folder, `model.ckpt-7${suffix}`), join(folder, to + suffix))
}

test('the latest is taken of several, even where training ran in another folder', () => {
  for (const where of ['', '/somewhere/else/', 'C:\\\\runs\\\\']) {
    const folder = copied((dir) => {
      renamed(dir, 'model.ckpt-9')
      writeFileSync(
        join(dir, 'checkpoint'),
        `model_checkpoint_path: "${where}model.ckpt-9"\nall_model_checkpoint_paths: "x"\n`,
      )
    })
    assert.is(readTensorflow(folder).path, join(folder, 'model.ckpt-9.index'))
  }
})

test('several without a word on the latest are refused, and so is a latest that is not there', () => {
  const several = copied((dir) => {
    renamed(dir, 'model.ckpt-9')
    rmSync(join(dir, 'checkpoint'))
  })
  assert.match(
    message(() => readTensorflow(several)),
    /found 'model\.ckpt-7\.index', 'model\.ckpt-9\.index', expected .* name one/,
  )
  const gone = copied((dir) =>
    writeFileSync(join(dir, 'checkpoint'), 'model_checkpoint_path: "../x/model.ckpt-8"'),
  )
  assert.match(
    message(() => readTensorflow(gone)),
    /checkpoint: found model_checkpoint_path "\.\.\/x\/model\.ckpt-8", which is not/,
  )
  const empty = copied((dir) => writeFileSync(join(dir, 'checkpoint'), ''))
  assert.match(
    message(() => readTensorflow(empty)),
    /checkpoint: found no model_checkpoint_path/,
  )
})

test('a checkpoint without its values, and one that is not there, are refused by file', () => {
  const folder = copied((dir) =>
    renameSync(join(dir, 'model.ckpt-7.data-00000-of-00001'), join(dir, 'elsewhere')),
  )
  assert.match(
    message(() => readTensorflow(folder)),
    /model\.ckpt-7\.data-00000-of-00001: found no such file, expected a TensorFlow checkpoint/,
  )
  assert.match(
    message(() => readTensorflow(join(folder, 'x.ckpt'))),
    /x\.ckpt\.index: found no such file/,
  )
})

test('a checkpoint of version 1 is refused as one', () => {
  const path = join(golden, 'version1/model.ckpt')
  assert.ok(isTensorflow(path))
  assert.match(
    message(() => readTensorflow(path)),
    /model\.ckpt: found a checkpoint of version 1 \(one file\), expected version 2/,
  )
})

/* names */

const shape = (...sizes: number[]) => ({
  shape: sizes,
  data: Float32Array.from({ length: sizes.reduce((n, m) => n * m, 1) }, (_, i) => i),
})
const written = (variables: Parameters<typeof bundle>[0], more: Record<string, string> = {}) => {
  const files = bundle(variables)
  return folderWith({
    ...Object.fromEntries(Object.entries(files).map(([suffix, bytes]) => [`made.ckpt${suffix}`, bytes])),
    ...more,
  })
}

test('kernels are turned, at sizes beyond one square of the cache, and nothing else is', () => {
  const [rows, columns] = [70, 33]
  const { tensors } = readTensorflow(
    written({
      'bert/encoder/layer_0/intermediate/dense/kernel': shape(rows, columns),
      'cls/seq_relationship/output_weights': shape(2, 3),
    }),
  )
  const turned = tensors.get('bert.encoder.layer.0.intermediate.dense.weight')!
  assert.equal(turned.shape, [columns, rows])
  sameBits(
    turned.float32(),
    Float32Array.from({ length: rows * columns }, (_, i) => (i % rows) * columns + Math.floor(i / rows)),
  )
  sameBits(tensors.get('cls.seq_relationship.weight')!.float32(), shape(2, 3).data)
})

test('what was saved from a module of TensorFlow Hub has the same names', () => {
  assert.equal(huggingFaceName('module/bert/pooler/dense/kernel', 'albert'), {
    name: 'albert.pooler.weight',
    transposed: true,
  })
})

test('groups and inner groups keep their numbers', () => {
  const name = 'bert/encoder/transformer/group_1/inner_group_2/LayerNorm_1/gamma'
  assert.is(
    huggingFaceName(name, 'albert')?.name,
    'albert.encoder.albert_layer_groups.1.albert_layers.2.full_layer_layer_norm.weight',
  )
})

test('the head of a fine-tuned model and whatever is not known keep their names and are left over', () => {
  for (const name of [
    'output_weights',
    'output_bias',
    'toString',
    'bert/encoder/layer_0/attention/self/query/toString',
    'start_logits/output_weights',
  ])
    assert.is(huggingFaceName(name, 'bert'), undefined, name)
  const golden = readTensorflow(checkpoints.albert)
  const head = readTensorflow(
    written({
      output_weights: shape(3, 16),
      output_bias: shape(3),
      'bert/encoder/layer_0/output/dense/bias': shape(4),
    }),
  )
  const set = new ParameterSet()
  declarePretraining(set, tensorflowConfiguration(checkpoints.albert, golden).config)
  const tensors = new Map([
    ...golden.tensors,
    ['output_weights', head.tensors.get('output_weights')!] as const,
  ])
  const report = loadPretrained({ ...golden, tensors }, set, new Float32Array(set.arenaElements))
  assert.equal(report.ignored, ['output_weights'])
})

test('training leaves moments, averages and counters behind, and no weight is taken for one', () => {
  const weight = 'bert/encoder/layer_3/attention/self/query/kernel'
  for (const slot of [
    'adam_m',
    'adam_v',
    'lamb_m',
    'Adam',
    'Adam_1',
    'LAMB_1',
    'LAMBOptimizer/adam_m',
    'AdamWeightDecayOptimizer',
    'AdamWeightDecayOptimizer_1',
    'Momentum',
    'ExponentialMovingAverage',
  ])
    assert.ok(isTrainingState(`${weight}/${slot}`), slot)
  for (const counter of [
    'global_step',
    'beta1_power',
    'beta2_power_1',
    'save_counter',
    'training/beta1_power',
    '_CHECKPOINTABLE_OBJECT_GRAPH',
  ])
    assert.ok(isTrainingState(counter), counter)
  for (const path of Object.values(checkpoints))
    for (const { storedAs } of readTensorflow(path).tensors.values())
      assert.not.ok(isTrainingState(storedAs!), storedAs)
  assert.not.ok(isTrainingState('output_weights'))
})

test('two variables of one meaning, and a kernel of three dimensions, are refused', () => {
  const name = 'bert/encoder/layer_0/output/dense'
  assert.match(
    message(() => readTensorflow(written({ [`${name}/bias`]: shape(2), [`module/${name}/bias`]: shape(2) }))),
    /found variables 'bert\/.*' and 'module\/.*', expected one that is 'bert\.encoder\.layer\.0\.output\.dense\.bias'/,
  )
  assert.match(
    message(() => readTensorflow(written({ [`${name}/kernel`]: shape(2, 1, 2) }))),
    /of shape \[2,1,2\], expected two dimensions/,
  )
})

test('variables of another model are refused by their names', () => {
  assert.match(
    message(() => readTensorflow(written({ a: shape(1), b: shape(1), c: shape(1), d: shape(1) }))),
    /found 'a', 'b', 'c' and 1 more, expected the variables of the original/,
  )
  assert.match(
    message(() => readTensorflow(written({ 'model/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE': shape(1, 1) }))),
    /found variables by object, as TensorFlow 2 stores/,
  )
})

/* configuration and vocabulary */

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

test("the vocabulary beside a checkpoint is found under the names of ALBERT's and BERT's", () => {
  const name = (files: Record<string, string>) => {
    const folder = written({ a: shape(1) }, files)
    return tensorflowVocabulary(folder)?.slice(folder.length + 1)
  }
  assert.is(name({}), undefined)
  assert.is(name({ '30k-clean.model': '', '30k-clean.vocab': '' }), '30k-clean.model')
  assert.is(name({ 'vocab.txt': '' }), 'vocab.txt')
  assert.is(name({ 'own.model': '' }), 'own.model')
  assert.is(name({ 'own.model': '', 'other.model': '' }), undefined)
})

test('a file beside the weights that is far too large is not read', () => {
  const folder = copied((dir) => writeFileSync(join(dir, 'albert_config.json'), ' '.repeat(2 ** 20 + 1)))
  assert.match(
    message(() => tensorflowConfiguration(folder, readTensorflow(folder))),
    /albert_config\.json: found 1048577 bytes/,
  )
})

test.run()
