/**
 * Checkpoints of the original ALBERT and BERT code as models: what comes out of them against transformers with the same numbers
 * (test/golden/tensorflow_bundle.py), the names, and how a checkpoint is found.
 */
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterSet } from '../../../src/graph/parameters.js'
import { openWeights, weightFormat } from '../../../src/model/formats/index.js'
import {
  findTensorflow,
  isTensorflow,
  readTensorflow,
  tensorflowConfiguration,
} from '../../../src/model/formats/tensorflow.js'
import { huggingFaceName, isTrainingState } from '../../../src/model/formats/tensorflow_names.js'
import { declarePretraining } from '../../../src/model/pretraining.js'
import { loadPretrained } from '../../../src/model/weights.js'
import { openGolden } from '../../support/albert_golden.js'
import { allclose, sameBits } from '../../support/allclose.js'
import { testedIsas } from '../../support/op_check.js'
import { root } from '../../support/paths.js'
import { outputsOf } from '../../support/pretraining_outputs.js'
import { checkpoints, copied, golden, message, shape, written } from '../../support/tensorflow_case.js'

const test = suite('TensorFlow checkpoints')
const families = ['albert', 'bert'] as const

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
    assert.is(weightFormat(checkpoints.albert + path).open, readTensorflow)
    assert.is(readTensorflow(checkpoints.albert + path).tensors.size, 32, path)
  }
  assert.is(readTensorflow(join(golden, 'bert')).tensors.size, 46)
  assert.is(findTensorflow(checkpoints.albert), join(checkpoints.albert, 'model.ckpt-7'))
  assert.is(findTensorflow(join(root, 'test/golden/albert')), undefined)
  assert.not.ok(isTensorflow(join(root, 'test/golden/albert')))
  assert.not.ok(isTensorflow('model.safetensors.index.json'))
})

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
  const albert = readTensorflow(checkpoints.albert)
  const head = readTensorflow(
    written({
      output_weights: shape(3, 16),
      output_bias: shape(3),
      'bert/encoder/layer_0/output/dense/bias': shape(4),
    }),
  )
  const set = new ParameterSet()
  declarePretraining(set, tensorflowConfiguration(checkpoints.albert, albert).config)
  const tensors = new Map([
    ...albert.tensors,
    ['output_weights', head.tensors.get('output_weights')!] as const,
  ])
  const report = loadPretrained({ ...albert, tensors }, set, new Float32Array(set.arenaElements))
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

test.run()
