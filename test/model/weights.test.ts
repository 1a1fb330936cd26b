/** Pretrained weights into parameters: names, variants of names, what is refused, what is only told. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import { openModel, readVocabularyContents, saveModel } from '../../src/model/folder.js'
import { readSafetensors, type TensorToWrite, writeSafetensors } from '../../src/model/formats/safetensors.js'
import { formatConfig, parseConfig } from '../../src/model/huggingface.js'
import { className } from '../../src/model/kind.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { arenaTensors, loadPretrained } from '../../src/model/weights.js'
import { sameBits } from '../support/allclose.js'
import { random } from '../support/random.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'

const test = suite('weights')

const config = preset('nano', 40)
const bert = preset('bert-nano', 40)

function pretraining(of = config): ParameterSet {
  const set = new ParameterSet()
  declarePretraining(set, of)
  return set
}

/** Random values of every parameter; nothing between them. */
function values(set: ParameterSet, seed = 3): Float32Array {
  const data = new Float32Array(set.arenaElements)
  const { normals } = random(seed)
  for (const { offset, size } of set.segments) data.set(normals(size), offset)
  return data
}

type Tensors = Map<string, TensorToWrite>

/** Writes the tensors of a pretraining model after `change` and reads them into `set`. */
async function through(change: (tensors: Tensors) => void, set = pretraining(), of = config) {
  const from = pretraining(of)
  const tensors: Tensors = new Map(arenaTensors(from, values(from)))
  change(tensors)
  const path = join(temporaryFolder(), 'model.safetensors')
  await writeSafetensors(path, tensors)
  const data = new Float32Array(set.arenaElements)
  const report = loadPretrained(readSafetensors(path), set, data)
  return { report, data }
}

test('weights come back bit for bit, under the names of Hugging Face', async () => {
  const { report, data } = await through((tensors) => {
    const names = [...tensors.keys()]
    for (const part of ['query', 'key', 'value'])
      assert.ok(
        names.includes(`albert.encoder.albert_layer_groups.0.albert_layers.0.attention.${part}.weight`),
      )
    assert.ok(names.includes('predictions.bias') && names.includes('sop_classifier.classifier.weight'))
  })
  assert.equal(report, { missing: [], ignored: [] })
  sameBits(data, values(pretraining()))
})

test('names without `albert.`, TensorFlow’s gamma and beta, and a repeated decoder are understood', async () => {
  const { report, data } = await through((tensors) => {
    for (const [name, tensor] of [...tensors]) {
      tensors.delete(name)
      const bare = name.replace(/^albert\./, '')
      tensors.set(
        bare.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
        tensor,
      )
    }
    tensors.set('embeddings.position_ids', { shape: [1, 2], data: Int32Array.of(0, 1) })
    tensors.set(
      'predictions.decoder.weight',
      tensors.get('embeddings.word_embeddings.weight') as TensorToWrite,
    )
    tensors.set('predictions.decoder.bias', tensors.get('predictions.bias') as TensorToWrite)
    tensors.delete('predictions.bias')
  })
  assert.equal(report, { missing: [], ignored: [] })
  sameBits(data, values(pretraining()))
})

test('BERT’s weights come back too, with any of its prefixes and copies', async () => {
  const sets = [pretraining(bert), pretraining(bert)]
  const plain = await through(() => {}, sets[0], bert)
  assert.equal(plain.report, { missing: [], ignored: [] })
  sameBits(plain.data, values(sets[0]))
  const changed = await through(
    (tensors) => {
      for (const name of ['0', '1'].map((l) => `bert.encoder.layer.${l}.attention.self.query.weight`))
        assert.equal(tensors.get(name)?.shape, [64, 64])
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name)
        tensors.set(name.replace(/^bert\./, '').replace('LayerNorm.weight', 'LayerNorm.gamma'), tensor)
      }
      tensors.set(
        'cls.predictions.decoder.weight',
        tensors.get('embeddings.word_embeddings.weight') as TensorToWrite,
      )
      tensors.set('cls.predictions.decoder.bias', tensors.get('cls.predictions.bias') as TensorToWrite)
      tensors.delete('cls.predictions.bias')
    },
    sets[1],
    bert,
  )
  assert.equal(changed.report, { missing: [], ignored: [] })
  sameBits(changed.data, values(sets[1]))

  let message = 'nothing was thrown'
  const lacking = (tensors: Tensors) => tensors.delete('bert.encoder.layer.1.output.dense.bias')
  await through(lacking, pretraining(bert), bert).catch((error: Error) => {
    message = error.message
  })
  assert.match(message, /no tensor 'bert\.encoder\.layer\.1\.output\.dense\.bias'.*\[64\]/)
})

test('weights of the other family are refused by a name that they lack', async () => {
  for (const [set, of, says] of [
    [pretraining(bert), config, /no tensor 'bert\.embeddings/],
    [pretraining(), bert, /no tensor 'albert\.embeddings/],
  ] as const) {
    let message = 'nothing was thrown'
    await through(() => {}, set, of).catch((error: Error) => {
      message = error.message
    })
    assert.match(message, says)
  }
})

test('embeddings that are there as output embeddings alone are taken from those, with or without a prefix', async () => {
  for (const [of, decoder] of [
    [config, 'predictions.decoder.weight'],
    [bert, 'cls.predictions.decoder.weight'],
  ] as const)
    for (const wrapper of ['', 'module.'])
      for (const bare of [false, true]) {
        const { report, data } = await through(
          (tensors) => {
            const word = `${of.modelType}.embeddings.word_embeddings.weight`
            tensors.set(decoder, tensors.get(word) as TensorToWrite)
            tensors.delete(word)
            for (const [name, tensor] of [...tensors]) {
              tensors.delete(name)
              tensors.set(wrapper + (bare ? name.replace(/^(albert|bert)\./, '') : name), tensor)
            }
          },
          pretraining(of),
          of,
        )
        assert.equal(report, { missing: [], ignored: [] })
        sameBits(data, values(pretraining(of)))
      }
})

test('heads that are missing or left over are listed, not refused', async () => {
  const missing = await through((tensors) => {
    for (const name of [...tensors.keys()]) if (name.startsWith('sop_')) tensors.delete(name)
    tensors.set('classifier.weight', { shape: [3, 64], data: new Float32Array(192) })
  })
  assert.equal(missing.report.missing, ['sop_classifier.classifier.weight', 'sop_classifier.classifier.bias'])
  assert.equal(missing.report.ignored, ['classifier.weight'])

  const classifier = new ParameterSet()
  tokenHead.declare(classifier, config, 3)
  const { report } = await through(() => {}, classifier)
  assert.equal(report.missing, ['classifier.weight', 'classifier.bias'])
  assert.ok(report.ignored.includes('albert.pooler.weight') && report.ignored.includes('predictions.bias'))
})

test('an encoder that lacks a tensor, has another one, or one of another shape is refused by its name', async () => {
  const cases: [(tensors: Tensors) => void, RegExp][] = [
    [(t) => t.delete('albert.encoder.embedding_hidden_mapping_in.bias'), /no tensor .*mapping_in\.bias/],
    [
      (t) => t.set('albert.encoder.albert_layer_groups.1.x', { shape: [1], data: new Float32Array(1) }),
      /albert_layer_groups\.1\.x/,
    ],
    [
      (t) => t.set('albert.embeddings.LayerNorm.bias', { shape: [31], data: new Float32Array(31) }),
      /LayerNorm\.bias', F32 \[31\], expected .*\[32\]/,
    ],
    [
      (t) => t.set('albert.embeddings.LayerNorm.gamma', { shape: [32], data: new Float32Array(32) }),
      /LayerNorm\.(weight|gamma)' and '.*LayerNorm\.(weight|gamma)', which are the same parameter/,
    ],
    [
      (t) => t.set('predictions.decoder.weight', { shape: [2, 2], data: new Float32Array(4) }),
      /decoder\.weight/,
    ],
  ]
  for (const [change, says] of cases) {
    let message = 'nothing was thrown'
    await through(change).catch((error: Error) => {
      message = error.message
    })
    assert.match(message, says)
  }
})

for (const of of [config, bert])
  test(`${of.modelType}: a model folder comes back as it was saved, vocabulary and its digest included`, async () => {
    const folder = folderWith({ 'tokenizer.json': '{}', 'tokenizer_config.json': '{"a":1}' })
    const vocabulary = readVocabularyContents(folder)
    const dir = join(temporaryFolder(), 'm')
    const config = { ...of, gelu: of.gelu === 'erf' ? 'tanh' : 'erf', classifierDropout: 0.2 } as const
    const parameters = pretraining(of)
    const data = values(parameters)
    const digest = 'd'.repeat(64)
    const architecture = className(config, 'PreTraining')
    await saveModel(dir, { config, architecture, parameters, data, vocabulary, vocabularyDigest: digest })
    const model = openModel(dir)
    assert.equal(model.config, config)
    assert.is(model.vocabularyDigest, digest)
    assert.ok(model.hasVocabulary)
    const back = new Float32Array(parameters.arenaElements)
    loadPretrained(model.weights, parameters, back)
    sameBits(back, data)
  })

test('a classifier of sequences keeps the names of its labels and what it was trained by', async () => {
  const dir = join(temporaryFolder(), 'm')
  const parameters = pretraining(config)
  const labels = ['Cause', 'Effect']
  const common = { config, labels, parameters, data: values(parameters), vocabulary: new Map() }
  const architecture = className(config, 'SequenceClassification')
  const saved = { ...common, architecture, vocabularyDigest: 'd'.repeat(64) }
  for (const problemType of ['multi_label_classification', 'regression', undefined] as const) {
    await saveModel(dir, { ...saved, problemType })
    const json = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))
    assert.equal([json.architectures, json.problem_type], [['AlbertForSequenceClassification'], problemType])
    const model = openModel(dir)
    assert.equal([model.labels, model.problemType], [labels, problemType])
  }
})

test('a configuration of another kind is refused by name', () => {
  const json = JSON.parse(formatConfig(bert, 'BertForPreTraining'))
  for (const [change, says] of [
    [{ model_type: 'electra' }, /model_type "electra".*albert or bert/],
    [{ model_type: undefined }, /model_type missing/],
    [{ hidden_act: 'mish' }, /hidden_act/],
    [{ position_embedding_type: 'relative_key' }, /position_embedding_type/],
    [{ is_decoder: true }, /is_decoder true/],
    [{ hidden_size: undefined }, /hidden_size missing/],
    [{ problem_type: 'ranking' }, /problem_type.*"regression"/],
  ] as const)
    assert.throws(() => parseConfig(JSON.stringify({ ...json, ...change }), 'config.json'), says)
  const albert = JSON.parse(formatConfig(config, 'AlbertForPreTraining'))
  for (const name of ['num_hidden_groups', 'inner_group_num'])
    assert.throws(
      () => parseConfig(JSON.stringify({ ...albert, [name]: 2 }), 'config.json'),
      new RegExp(`found ${name} 2: .*expected 1`),
    )
  const { config: read } = parseConfig(JSON.stringify({ ...json, classifier_dropout: null }), 'config.json')
  assert.is(read.classifierDropout, bert.dropout)
  const none = parseConfig(JSON.stringify({ ...json, problem_type: null }), 'config.json')
  assert.is(none.problemType, undefined)
})

test.run()
