/** Bad input to `pretrain`, `plan` and `devices`: each is refused with its reason, and nothing is written. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import { openCpu } from '../../src/device/cpu.js'
import { pretrain } from '../../src/training/pretraining/pretrain.js'
import { setUpPretraining } from '../../src/training/pretraining/setup.js'
import { badInput } from '../support/bad_input.js'
import { pretrainingData } from '../support/pretraining_case.js'
import { smallPieces, smallTokenizerJson } from '../support/vocabulary.js'

const test = suite('bad input to the training commands')

type Files = Record<string, Uint8Array | string>

/** A folder below `dir` as files of a case. */
function read(dir: string, name: string): Files {
  const files: Files = {}
  for (const entry of readdirSync(join(dir, name), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files[path.slice(dir.length + 1)] = readFileSync(path)
  }
  return files
}

const data = await pretrainingData({ documents: 40 })
const dynamic = await pretrainingData({ documents: 40, masking: 'dynamic' })
const choices = { preset: 'nano', batch: 4, totalSteps: 4 }
const setup = await setUpPretraining({
  choices,
  instances: data.instances,
  tokenizer: data.tokenizer,
  out: join(data.folder, 'p'),
  resume: false,
  evalInstances: 4,
})
const device = openCpu({ threads: 1 })
await pretrain(setup, device, {
  out: join(data.folder, 'p'),
  steps: 2,
  evalEvery: 10,
  saveEvery: 10,
  keep: 2,
})
await device.destroy()

const tokenizer = read(data.folder, 'v')
const instances = read(data.folder, 'i')
const good = { ...tokenizer, ...instances }
const run = read(data.folder, 'p')
const otherVocabulary = { 'v/tokenizer.json': smallTokenizerJson([...smallPieces, 'aspirin']) }

/** A case's files with one of them changed. */
function changed(files: Files, pattern: RegExp, change: (content: Buffer) => Uint8Array | string): Files {
  const names = Object.keys(files).filter((name) => pattern.test(name))
  if (names.length === 0) throw new Error(`no file matches ${pattern}`)
  const copy = { ...files }
  for (const name of names) copy[name] = change(Buffer.from(files[name]))
  return copy
}
const without = (files: Files, pattern: RegExp): Files =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !pattern.test(name)))
const half = (content: Buffer) => content.subarray(0, content.length / 2)

const command = (...more: string[]) => 'pretrain --instances i --tokenizer v --out o'.split(' ').concat(more)
const nano = (...more: string[]) => command('--preset', 'nano', ...more)
const resume = (...more: string[]) =>
  'pretrain --instances i --tokenizer v --out p --resume'.split(' ').concat(more)

badInput(test, [
  { name: 'pretrain without instances', argv: ['pretrain', '--out', 'o'], status: 2, says: /--instances/ },
  {
    name: 'pretrain without a preset, weights or a run to resume',
    argv: command('--json'),
    files: good,
    status: 2,
    says: /--preset/,
  },
  {
    name: 'pretrain: an unknown preset',
    argv: command('--preset', 'huge'),
    files: good,
    status: 2,
    says: [/huge/, /nano, mini, base/],
  },
  {
    name: 'pretrain: a hidden size that the heads do not divide',
    argv: nano('--hidden-size', '65'),
    files: good,
    status: 2,
    says: [/hiddenSize is 65/, /4 heads/],
  },
  {
    name: 'pretrain: fewer positions than the instances have pieces',
    argv: nano('--max-positions', '32'),
    files: good,
    status: 2,
    says: [/48 pieces/, /32 positions/],
  },
  {
    name: 'pretrain: micro-batches that cannot hold an instance',
    argv: nano('--rows', '40', '--json'),
    files: good,
    status: 2,
    says: [/40 rows/, /48/],
  },
  {
    name: 'pretrain: a warm-up as long as the run',
    argv: nano('--total-steps', '10', '--warmup', '10'),
    files: good,
    status: 2,
    says: /warm-up is 10/,
  },
  {
    name: 'pretrain: a learning rate of 0',
    argv: nano('--learning-rate', '0'),
    files: good,
    status: 2,
    says: /learning-rate/,
  },
  {
    name: 'pretrain: a dropout of 1',
    argv: nano('--dropout', '1'),
    files: good,
    status: 2,
    says: /dropout is 1/,
  },
  {
    name: 'pretrain: more memory than there is',
    argv: nano(
      '--hidden-size',
      '16384',
      '--intermediate-size',
      '65536',
      '--heads',
      '64',
      '--rows',
      '1000000',
      '--batch',
      '100000',
    ),
    files: good,
    status: 1,
    says: [/not enough memory/, /GiB are available/],
  },
  {
    name: 'pretrain: no instances',
    argv: nano('--json'),
    files: tokenizer,
    status: 1,
    says: /i\/instances\.json/,
  },
  {
    name: 'pretrain: a description of instances that is no JSON',
    argv: nano(),
    files: { ...good, 'i/instances.json': '{"format":' },
    status: 1,
    says: /i\/instances\.json/,
  },
  {
    name: 'pretrain: a shard cut short',
    argv: nano(),
    files: changed(good, /^i\/.*train/, half),
    status: 1,
    says: /i\//,
  },
  {
    name: 'pretrain: held-out instances cut short',
    argv: nano(),
    files: changed(good, /^i\/.*heldout/, half),
    status: 1,
    says: /i\//,
  },
  {
    name: 'pretrain: a document shard cut short',
    argv: nano(),
    files: changed({ ...tokenizer, ...read(dynamic.folder, 'i') }, /^i\/.*documents/, half),
    status: 1,
    says: /i\//,
  },
  {
    name: 'pretrain: a shard that is missing',
    argv: nano(),
    files: without(good, /^i\/.*train/),
    status: 1,
    says: /i\//,
  },
  {
    name: 'pretrain: a vocabulary that the instances were not made with',
    argv: nano('--json'),
    files: { ...good, ...otherVocabulary },
    status: 1,
    says: /tokenizer/,
  },
  {
    name: 'pretrain: no vocabulary',
    argv: nano(),
    files: instances,
    status: 1,
    says: /v\/tokenizer\.json/,
  },
  {
    name: 'pretrain into a folder that holds something',
    argv: nano(),
    files: { ...good, 'o/notes.txt': 'mine' },
    status: 2,
    says: /\bo: .*not empty/,
  },
  {
    name: 'pretrain --init with a folder that is no model',
    argv: command('--init', 'm'),
    files: { ...good, 'm/notes.txt': '' },
    status: 1,
    says: [/m\/config\.json/, /model folder/],
  },
  {
    name: 'pretrain --init with the configuration of another kind of model',
    argv: command('--init', 'p'),
    files: { ...good, ...run, 'p/config.json': '{"model_type":"roberta"}' },
    status: 1,
    says: [/p\/config\.json/, /roberta/, /ALBERT or BERT/],
  },
  {
    name: 'pretrain --init with weights cut short',
    argv: command('--init', 'p'),
    files: { ...good, ...changed(run, /^p\/model\.safetensors/, half) },
    status: 1,
    says: [/p\/model\.safetensors/, /truncated/],
  },
  {
    name: 'pretrain --init with weights that the configuration does not describe',
    argv: command('--init', 'p', '--json'),
    files: {
      ...good,
      ...changed(run, /^p\/config\.json/, (text) =>
        String(text).replace('"hidden_size": 64', '"hidden_size": 128'),
      ),
    },
    status: 1,
    says: [/p\/model\.safetensors: found tensor/, /\[128,32\]/],
  },
  {
    name: 'pretrain --init with a preset of other sizes',
    argv: command('--init', 'p', '--preset', 'mini'),
    files: { ...good, ...run },
    status: 2,
    says: /Size is to be \d+, but the model to start from has \d+/,
  },
  {
    name: 'pretrain --init with weights of another vocabulary',
    argv: command('--init', 'p'),
    files: { ...good, ...run, ...otherVocabulary },
    status: 1,
    says: /p: the model has a vocabulary of \d+ pieces, the tokenizer in use has \d+/,
  },
  {
    name: 'pretrain --resume of a folder that is no run',
    argv: resume(),
    files: { ...good, 'p/notes.txt': 'mine' },
    status: 1,
    says: [/p: holds notes\.txt/, /no run to resume/],
  },
  {
    name: 'pretrain --resume with another batch',
    argv: resume('--batch', '8', '--json'),
    files: { ...good, ...run },
    status: 2,
    says: /p\/checkpoint-2: the run was started with batch 4, not 8/,
  },
  {
    name: 'pretrain --resume of a checkpoint whose moments are cut short',
    argv: resume(),
    files: { ...good, ...changed(run, /checkpoint-2\/optimizer/, half) },
    status: 1,
    says: [/checkpoint-2\/optimizer\.safetensors/, /truncated/],
  },
  {
    name: 'pretrain --resume of a checkpoint without its state',
    argv: resume(),
    files: { ...good, ...without(run, /state\.json/) },
    status: 1,
    says: /checkpoint-2\/state\.json: found no such file/,
  },
  {
    name: 'pretrain --resume of a checkpoint of another kind of run',
    argv: resume(),
    files: {
      ...good,
      ...changed(run, /state\.json/, (text) => String(text).replace('"pretrain"', '"finetune"')),
    },
    status: 1,
    says: [/state\.json/, /a checkpoint of finetune/],
  },
  {
    name: 'pretrain --resume on other instances',
    argv: resume(),
    files: { ...tokenizer, ...read(dynamic.folder, 'i'), ...run },
    status: 1,
    says: /p\/checkpoint-2: the run was started on other instances \(masking static, here dynamic\)/,
  },
  {
    name: 'pretrain on a GPU that is not there',
    argv: nano('--device', 'cuda:99'),
    files: good,
    status: 2,
    says: /the cuda device is not available: (its addon is not built|no driver|there is no cuda:99)/,
  },
  {
    name: 'pretrain with an instruction set that no processor has',
    argv: nano(),
    files: good,
    status: 2,
    says: /instruction set mmx/,
    environment: { BIOALBERT_ISA: 'mmx' },
  },
  { name: 'plan without a preset', argv: ['plan', '--json'], status: 2, says: /--preset/ },
  {
    name: 'plan of sizes that cannot be',
    argv: ['plan', '--preset', 'base', '--heads', '7'],
    status: 2,
    says: [/hiddenSize is 768/, /7 heads/],
  },
  { name: 'plan of no rows', argv: ['plan', '--preset', 'base', '--rows', '0'], status: 2, says: /rows/ },
  { name: 'devices with an unknown option', argv: ['devices', '--all'], status: 2, says: /--all/ },
])

test.run()
