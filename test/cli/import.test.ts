/** `import` as a person runs it: folders, single files, vocabularies, tasks; what it prints; what it refuses, leaving nothing behind. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openModel } from '../../src/model/folder.js'
import { allclose } from '../support/allclose.js'
import { type BadInput, badInput } from '../support/bad_input.js'
import { commandLine } from '../support/paths.js'
import { op, pickle, torchZip } from '../support/pickle_case.js'
import { outputsOf, pretrainedCases, pretrainedFolder } from '../support/pretrained_case.js'
import { folderWith } from '../support/temporary.js'

const test = suite('import')

const letters = [...'abcdefghijklmn']
const vocabTxt = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...letters, ''].join('\n')

type Files = Record<string, string | Uint8Array>

/** The files of a golden folder below `s/`, and a vocabulary of as many pieces as it has embeddings. */
function source(name: string, more: Files = { 's/vocab.txt': vocabTxt }): Files {
  const dir = join(pretrainedFolder, name)
  const files = readdirSync(dir).map((file): [string, Uint8Array] => [
    `s/${file}`,
    readFileSync(join(dir, file)),
  ])
  return { ...Object.fromEntries(files), ...more }
}

function bioalbert(cwd: string, ...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, ...argv], {
    cwd,
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  return stdout
}

const last = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1) as string)

test('a tagger of PyTorch becomes a folder that predict reads, with the same logits', async () => {
  const name = 'bert_token_legacy'
  const dir = folderWith(source(name))
  const result = last(bioalbert(dir, 'import', 's', '--out', 'o', '--task', 'ner', '--json'))
  assert.equal(
    [result.architecture, result.task, result.labels],
    ['BertForTokenClassification', 'entities', ['O', 'B-Gene', 'I-Gene']],
  )
  assert.equal(readdirSync(join(dir, 'o')).sort(), [
    'config.json',
    'model.safetensors',
    'task.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  const model = openModel(join(dir, 'o'))
  assert.is(model.vocabularyDigest, result.vocabulary)
  const { outputs } = await outputsOf(model, pretrainedCases[name])
  allclose(outputs.logits, pretrainedCases[name].outputs.logits, { rtol: 0, atol: 4e-6 })
  assert.is(
    result.counts.taken,
    result.tensors.filter((one: { state: string }) => one.state === 'taken').length,
  )
  assert.is(result.counts.taken, model.weights.tensors.size)
  const said = bioalbert(dir, 'predict', '--model', 'o', '--text', 'a b c', '--json')
  assert.is(last(said).text, 'a b c')
})

test('the table has a line for every tensor and says what became of it', () => {
  const dir = folderWith(source('albert_decoder_only', {}))
  const text = bioalbert(dir, 'import', 's', '--out', 'o', '--no-vocabulary')
  assert.match(
    text,
    /^taken +albert\.embeddings\.word_embeddings\.weight +predictions\.decoder\.weight +BF16 +\[19, 4\]$/m,
  )
  assert.match(text, /^missing +albert\.pooler\.weight +\[8, 8\]$/m)
  assert.match(text, /^copy +predictions\.decoder\.bias +BF16 +\[19\]$/m)
  assert.match(
    text,
    /^s\/pytorch_model\.bin -> o: AlbertForMaskedLM\n\d+ taken, 1 copy, 4 missing\nno vocabulary$/m,
  )
  assert.equal(readdirSync(join(dir, 'o')).sort(), ['config.json', 'model.safetensors'])
})

test('one file with --config, and a vocabulary from elsewhere', () => {
  const files = source('bert_masked_zip', {})
  const dir = folderWith({
    'w.bin': files['s/pytorch_model.bin'],
    'c.json': files['s/config.json'],
    'v/vocab.txt': vocabTxt,
    'v/tokenizer_config.json': '{"do_lower_case": false}',
  })
  const argv = [
    'import',
    'w.bin',
    '--config',
    'c.json',
    '--vocabulary',
    'v/vocab.txt',
    '--out',
    'o',
    '--json',
  ]
  assert.is(last(bioalbert(dir, ...argv)).architecture, 'BertForMaskedLM')
  const tokenizer = JSON.parse(readFileSync(join(dir, 'o/tokenizer.json'), 'utf8'))
  assert.is(tokenizer.normalizer.lowercase, false)
  // a tokenizer.json is taken as it is
  const again = [
    'import',
    'w.bin',
    '--config',
    'c.json',
    '--vocabulary',
    'o/tokenizer.json',
    '--out',
    'p',
    '--json',
  ]
  assert.is(last(bioalbert(dir, ...again)).vocabulary, openModel(join(dir, 'o')).vocabularyDigest)
  for (const file of ['tokenizer.json', 'model.safetensors'])
    assert.ok(readFileSync(join(dir, 'o', file)).equals(readFileSync(join(dir, 'p', file))), file)
})

test('a configuration that names no family is read by the names of the tensors', () => {
  const files = source('albert_span_half', {})
  const config = JSON.parse(Buffer.from(files['s/config.json'] as Uint8Array).toString())
  const dir = folderWith({ ...files, 's/config.json': JSON.stringify({ ...config, model_type: undefined }) })
  const result = last(
    bioalbert(dir, 'import', 's', '--out', 'o', '--task', 'qa', '--no-vocabulary', '--json'),
  )
  assert.equal([result.architecture, result.labels], ['AlbertForQuestionAnswering', ['start', 'end']])
  assert.ok(existsSync(join(dir, 'o/task.json')))
})

const argv = (...more: string[]) => ['import', 's', '--out', 'o', ...more]
const tagger = source('bert_token_legacy')
const config = (changes: object) => {
  const json = JSON.parse(Buffer.from(tagger['s/config.json'] as Uint8Array).toString())
  return { ...tagger, 's/config.json': JSON.stringify({ ...json, ...changes }) }
}
const without = (files: Files, name: string) =>
  Object.fromEntries(Object.entries(files).filter(([file]) => file !== name))
const attack = torchZip(pickle(op.global('os', 'system'), op.mark, op.text('touch run'), op.tuple, op.reduce))

const cases: BadInput[] = [
  {
    name: 'a pickle that wants to run something',
    argv: argv('--json'),
    files: { ...without(tagger, 's/pytorch_model.bin'), 's/pytorch_model.bin': attack },
    status: 1,
    says: /s\/pytorch_model\.bin: archive\/data\.pkl: found 'os\.system' at byte 13, expected a state dict/,
  },
  {
    name: 'an encoder of fewer layers than the configuration says',
    argv: argv('--json'),
    files: config({ num_hidden_layers: 3 }),
    status: 1,
    says: /s\/pytorch_model\.bin: found no tensor 'bert\.encoder\.layer\.2\.attention\.self\.query\.weight'/,
  },
  {
    name: 'an encoder of more layers than the configuration says',
    argv: argv(),
    files: config({ num_hidden_layers: 1 }),
    status: 1,
    says: /tensor 'bert\.encoder\.layer\.1\..*expected only tensors of the model that the configuration describes/,
  },
  {
    name: 'another family',
    argv: argv(),
    files: config({ model_type: 'electra' }),
    status: 1,
    says: /model_type "electra"/,
  },
  {
    name: 'labels that the classifier has no outputs for',
    argv: argv(),
    files: config({ id2label: { 0: 'O', 1: 'B' } }),
    status: 1,
    says: /a classifier of 3 outputs, expected 2, one for each label/,
  },
  {
    name: 'a task that the labels are not of',
    argv: argv('--task', 'sts'),
    files: tagger,
    status: 1,
    says: /--task similarity: labels O, B-Gene, I-Gene/,
  },
  {
    name: 'a task whose head is missing',
    argv: argv('--task', 'qa'),
    files: tagger,
    status: 1,
    says: /no tensor 'qa_outputs\.weight', expected a model with a head for QuestionAnswering/,
  },
  {
    name: 'a task that nobody knows',
    argv: argv('--task', 'x'),
    files: tagger,
    status: 2,
    says: /no task is called x/,
  },
  {
    name: '--form without a task',
    argv: argv('--form', 'x'),
    files: tagger,
    status: 2,
    says: /--form wants a --task/,
  },
  {
    name: 'a vocabulary of another size',
    argv: argv(),
    files: { ...tagger, 's/vocab.txt': `${vocabTxt}zz\n` },
    status: 1,
    says: /s\/vocab\.txt: has 20 pieces, the model has embeddings of 19/,
  },
  {
    name: 'no vocabulary',
    argv: argv(),
    files: without(tagger, 's/vocab.txt'),
    status: 2,
    says: /s: has no spiece\.model, 30k-clean\.model, tokenizer\.json or vocab\.txt; name one with --vocabulary/,
  },
  {
    name: 'no weights in the folder',
    argv: argv(),
    files: without(tagger, 's/pytorch_model.bin'),
    status: 1,
    says: /s: found no weights in it, expected a folder with \*\.safetensors/,
  },
  {
    name: 'no configuration',
    argv: argv(),
    files: without(tagger, 's/config.json'),
    status: 2,
    says: /s\/pytorch_model\.bin: has no config\.json beside it; name one with --config/,
  },
  {
    name: 'a file that is no weights',
    argv: ['import', 's/vocab.txt', '--out', 'o'],
    files: tagger,
    status: 1,
    says: /s\/vocab\.txt: weights are not called like that \(want \*\.safetensors/,
  },
  {
    name: 'a source that is not there',
    argv: ['import', 'none.bin', '--config', 's/config.json', '--out', 'o'],
    files: tagger,
    status: 1,
    says: /none\.bin: found no such file/,
  },
  {
    name: 'an output folder that is there',
    argv: argv(),
    files: { ...tagger, 'o/x': '' },
    status: 2,
    says: /o: is there already and not empty/,
  },
]
badInput(test, cases)

test.run()
