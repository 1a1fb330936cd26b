/** `import` of TensorFlow checkpoints: golden ones become model folders, and bad ones are refused before anything is written. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openModel } from '../../src/model/folder.js'
import { readTensorflow } from '../../src/model/formats/tensorflow.js'
import { sameBits } from '../support/allclose.js'
import { badInput } from '../support/bad_input.js'
import { commandLine } from '../support/paths.js'
import { folderWith } from '../support/temporary.js'
import { checkpoints, golden } from '../support/tensorflow_case.js'

const test = suite('import of TensorFlow checkpoints')

const read = (name: string) => new Uint8Array(readFileSync(join(golden, name)))
const albert = {
  'tf/model.ckpt-7.index': read('albert/model.ckpt-7.index'),
  'tf/model.ckpt-7.data-00000-of-00001': read('albert/model.ckpt-7.data-00000-of-00001'),
}
const config = { 'tf/albert_config.json': read('albert/albert_config.json') }
/** As many pieces as BERT's golden model has. */
const pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...'abcdefghijklmnopqrstuvwxyz']

function run(argv: string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, ...argv], {
    cwd,
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  return JSON.parse(stdout)
}

test('BERT with its vocabulary becomes a model folder that holds the same numbers', () => {
  const dir = folderWith({
    'tf/bert_model.ckpt.index': read('bert/bert_model.ckpt.index'),
    'tf/bert_model.ckpt.data-00000-of-00001': read('bert/bert_model.ckpt.data-00000-of-00001'),
    'tf/bert_config.json': read('bert/bert_config.json'),
    'tf/vocab.txt': `${pieces.join('\n')}\n`,
  })
  const result = run(['import', 'tf', '--out', 'm', '--json'], dir)
  assert.is(result.architecture, 'BertForPreTraining')
  assert.equal(result.counts, {
    taken: 32,
    transposed: 14,
    copy: 0,
    missing: 0,
    'left over': 0,
    'left out': 93,
  })
  const model = openModel(join(dir, 'm'))
  assert.ok(model.hasVocabulary)
  assert.is(model.config.gelu, 'erf')
  const { tensors } = readTensorflow(checkpoints.bert)
  assert.equal(new Set(model.weights.tensors.keys()), new Set(tensors.keys()))
  for (const [name, tensor] of tensors) sameBits(model.weights.tensors.get(name)!.float32(), tensor.float32())
})

test("a file config.json in the original's words is read in the original's sense", () => {
  const dir = folderWith({ ...albert, 'tf/config.json': config['tf/albert_config.json'] })
  const argv = ['import', 'tf/model.ckpt-7.index', '--out', 'm', '--no-vocabulary', '--json']
  assert.is(run(argv, dir).architecture, 'AlbertForPreTraining')
  assert.is(openModel(join(dir, 'm')).config.gelu, 'tanh')
})

test('layers and heads that are asked for stand in for a configuration', () => {
  const argv = ['import', 'tf', '--out', 'm', '--no-vocabulary', '--json', '--layers', '5', '--heads', '4']
  const dir = folderWith(albert)
  run(argv, dir)
  const { layers, heads, gelu } = openModel(join(dir, 'm')).config
  assert.equal({ layers, heads, gelu }, { layers: 5, heads: 4, gelu: 'tanh' })
})

const damaged = albert['tf/model.ckpt-7.data-00000-of-00001'].slice()
damaged[5] ^= 1
const argv = ['import', 'tf', '--out', 'm', '--no-vocabulary']

badInput(test, [
  {
    name: 'a checkpoint without a configuration says what it does not tell',
    argv: [...argv, '--json'],
    files: albert,
    status: 2,
    says: [
      /do not tell the number of layers \(--layers\) and the number of heads \(--heads\)/,
      /albert_config\.json/,
    ],
  },
  {
    name: 'heads beside a configuration',
    argv: [...argv, '--heads', '2'],
    files: { ...albert, ...config },
    status: 2,
    says: /albert_config\.json says how many/,
  },
  {
    name: 'another preset',
    argv: [...argv, '--preset', 'base'],
    files: albert,
    status: 2,
    says: /preset base is albert with hidden size 768/,
  },
  {
    name: 'layers of weights that are no checkpoint',
    argv: ['import', 'w', '--out', 'm', '--layers', '2'],
    files: { 'w/model.safetensors': '\u0002\0\0\0\0\0\0\0{}' },
    status: 2,
    says: /--layers, --heads and --preset are for checkpoints/,
  },
  {
    name: 'a vocabulary of another size',
    argv: ['import', 'tf', '--out', 'm'],
    files: { ...albert, ...config, 'tf/vocab.txt': pieces.join('\n') },
    status: 1,
    says: /has 31 pieces, the model has embeddings of 37/,
  },
  {
    name: 'values with a bit that flipped',
    argv,
    files: { ...albert, ...config, 'tf/model.ckpt-7.data-00000-of-00001': damaged },
    status: 1,
    says: /data-00000-of-00001: found variable '.*', F32 .*, at byte \d+ with checksum 0x[0-9a-f]+ \(damaged\), expected 0x/,
  },
  {
    name: 'values that end early',
    argv,
    files: { ...albert, ...config, 'tf/model.ckpt-7.data-00000-of-00001': damaged.slice(0, 999) },
    status: 1,
    says: /of a file of 999 \(truncated/,
  },
  {
    name: 'an index that ends early',
    argv,
    files: { ...albert, ...config, 'tf/model.ckpt-7.index': albert['tf/model.ckpt-7.index'].slice(0, 99) },
    status: 1,
    says: /model\.ckpt-7\.index: found 0x[0-9a-f]+ in the last 8 bytes/,
  },
  {
    name: 'an index without values',
    argv,
    files: { 'tf/model.ckpt-7.index': albert['tf/model.ckpt-7.index'] },
    status: 1,
    says: /data-00000-of-00001: found no such file/,
  },
  {
    name: 'a configuration of another size',
    argv,
    files: {
      ...albert,
      'tf/albert_config.json': String(Buffer.from(config['tf/albert_config.json'])).replace(
        '"hidden_size": 16',
        '"hidden_size": 18',
      ),
    },
    status: 1,
    says: /found tensor '.*', F32 \[.*16.*\], expected .*18/,
  },
  {
    name: 'several groups',
    argv,
    files: {
      ...albert,
      'tf/albert_config.json': String(Buffer.from(config['tf/albert_config.json'])).replace(
        '"num_hidden_groups": 1',
        '"num_hidden_groups": 2',
      ),
    },
    status: 1,
    says: /num_hidden_groups/,
  },
  {
    name: 'a checkpoint where a model folder is wanted',
    argv: ['predict', '--model', 'tf', 'x.txt'],
    files: { ...albert, ...config, 'x.txt': 'a' },
    status: 1,
    says: /tf: holds weights in \*\.index of TensorFlow; make a model folder of them with import first/,
  },
])

test.run()
