/** `export` from the command line: what it writes and says, and what it refuses. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { badInput } from '../support/bad_input.js'
import { architectureOf, nanoFolder } from '../support/export_case.js'
import { commandLine } from '../support/paths.js'
import { temporaryFolder } from '../support/temporary.js'
import { toyModel } from '../support/toy_model.js'

const test = suite('export')

function run(...argv: string[]): { stdout: string; stderr: string; result: Record<string, unknown> } {
  const options = { encoding: 'utf8', cwd: temporaryFolder() } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, 'export', ...argv], options)
  assert.is(status, 0, stderr)
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return { stdout, stderr, result: argv.includes('--json') ? JSON.parse(last) : {} }
}

test('an ONNX file: inputs, outputs, nodes and bytes are reported, and it may lie in a folder that is not there', async () => {
  const model = await nanoFolder('albert', 'QuestionAnswering')
  const out = join(temporaryFolder(), 'new', 'model.onnx')
  const { result } = run('--model', model, '--to', 'onnx', '--out', out, '--opset', '20', '--json')
  const { inputs, outputs, nodes, bytes, files, opset, architecture } = result
  const dims = ['batch_size', 'sequence_length']
  assert.equal(
    inputs,
    ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => ({ name, type: 'int64', dims })),
  )
  assert.equal(
    outputs,
    ['start_logits', 'end_logits'].map((name) => ({ name, type: 'float', dims })),
  )
  assert.equal(
    { files, opset, architecture },
    { files: [out], opset: 20, architecture: architectureOf('albert', 'QuestionAnswering') },
  )
  assert.ok((nodes as number) > 50)
  assert.is(bytes, statSync(out).size)
  assert.equal(readdirSync(join(out, '..')), ['model.onnx'])
})

test('weights beside the file, and words for a person', async () => {
  const model = await nanoFolder('bert', 'SequenceClassification')
  const out = join(temporaryFolder(), 'model.onnx')
  const { stdout } = run('--model', model, '--to', 'onnx', '--out', out, '--external-data')
  assert.ok(statSync(`${out}.data`).size > 4 * 160_000 && statSync(out).size < 100_000)
  assert.match(stdout, /BertForSequenceClassification, 16\d,\d{3} parameters/)
  assert.match(stdout, /operator set 17, \d+ nodes\ninputs: input_ids \[batch_size, sequence_length\]/)
  assert.match(stdout, /outputs: logits \[batch_size, 3\]\nweights in .*model\.onnx\.data, to be kept beside/)
})

test('a folder of several files, its task with it', async () => {
  const model = await nanoFolder('bert', 'TokenClassification')
  const out = join(temporaryFolder(), 'out')
  const { result } = run(
    '--model',
    model,
    '--to',
    'huggingface',
    '--out',
    out,
    '--max-shard-size',
    '0.2MB',
    '--json',
  )
  assert.equal([...(result.files as string[])].sort(), readdirSync(out).sort())
  const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8'))
  assert.is(index.metadata.total_size, result.bytes)
})

test('a folder without a vocabulary is said to have none', async () => {
  const model = await nanoFolder('bert', 'Model')
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) rmSync(join(model, file))
  const out = join(temporaryFolder(), 'out')
  const { stdout } = run('--model', model, '--to', 'huggingface', '--out', out)
  assert.match(stdout, /without tokenizer\.json: the model's folder has none/)
  assert.not.ok(existsSync(join(out, 'tokenizer.json')))
})

const files = await toyModel('m', ['O', 'B', 'I'])
const config = JSON.parse(new TextDecoder().decode(files['m/config.json']))
const withConfig = (changes: object) => ({
  ...files,
  'm/config.json': JSON.stringify({ ...config, ...changes }),
})
const onnx = (...more: string[]) => ['export', '--model', 'm', '--to', 'onnx', '--out', 'm.onnx', ...more]
const folder = (...more: string[]) => ['export', '--model', 'm', '--to', 'huggingface', '--out', 'o', ...more]

badInput(test, [
  { name: 'no form', argv: ['export', '--model', 'm', '--out', 'o'], files, status: 2, says: /--to/ },
  {
    name: 'a form that is not known',
    argv: ['export', '--model', 'm', '--to', 'gguf', '--out', 'o'],
    files,
    status: 2,
    says: /huggingface, onnx/,
  },
  {
    name: 'no folder to write',
    argv: ['export', '--model', 'm', '--to', 'onnx'],
    files,
    status: 2,
    says: /--out/,
  },
  {
    name: 'no model',
    argv: onnx('--json'),
    status: 1,
    says: /m\/config\.json: found no such file, expected a model folder/,
  },
  {
    name: 'a model without weights',
    argv: onnx(),
    files: { 'm/config.json': files['m/config.json'] },
    status: 1,
    says: /m\/model\.safetensors: found no such file/,
  },
  {
    name: 'weights that are cut off',
    argv: folder(),
    files: { ...files, 'm/model.safetensors': files['m/model.safetensors'].subarray(0, 20_000) },
    status: 1,
    says: /truncated/,
  },
  {
    name: 'a head that is not known',
    argv: onnx(),
    files: withConfig({ architectures: ['AlbertForMultipleChoice'] }),
    status: 1,
    says: /m\/config\.json: found architectures: AlbertForMultipleChoice, expected one of AlbertForPreTraining, .*AlbertModel/,
  },
  {
    name: 'a head of the other family',
    argv: folder(),
    files: withConfig({ architectures: ['BertForTokenClassification'] }),
    status: 1,
    says: /BertForTokenClassification, expected one of AlbertForPreTraining/,
  },
  {
    name: 'a head that the weights have not',
    argv: onnx('--json'),
    files: withConfig({ architectures: ['AlbertForPreTraining'] }),
    status: 1,
    says: /m\/model\.safetensors: found no .*predictions\.dense\.weight.*, expected the weights of AlbertForPreTraining/,
  },
  {
    name: 'other labels than the weights have',
    argv: onnx(),
    files: withConfig({ id2label: { 0: 'O', 1: 'B' } }),
    status: 1,
    says: /'classifier\.bias' of 3 outputs, expected 2/,
  },
  {
    name: 'a configuration of another size',
    argv: folder(),
    files: withConfig({ intermediate_size: 128 }),
    status: 1,
    says: /ffn/,
  },
  {
    name: 'a file that is there',
    argv: onnx(),
    files: { ...files, 'm.onnx': 'mine' },
    status: 2,
    says: /m\.onnx: is there already; remove it or name another/,
  },
  {
    name: 'a file of weights that is there',
    argv: onnx('--external-data'),
    files: { ...files, 'm.onnx.data': 'mine' },
    status: 2,
    says: /m\.onnx\.data: is there already/,
  },
  {
    name: 'a folder that is not empty',
    argv: folder(),
    files: { ...files, 'o/mine': '1' },
    status: 2,
    says: /o: is there already and not empty/,
  },
  {
    name: 'the folder of the model itself',
    argv: ['export', '--model', 'm', '--to', 'huggingface', '--out', 'm'],
    files,
    status: 2,
    says: /m: is there already/,
  },
  {
    name: 'an operator set without layer normalisation',
    argv: onnx('--opset', '16'),
    files,
    status: 2,
    says: /from 17 to 21/,
  },
  { name: 'files of no size', argv: folder('--max-shard-size', '0GB'), files, status: 2, says: /above 0/ },
  {
    name: 'files of a size that is none',
    argv: folder('--max-shard-size', 'large'),
    files,
    status: 2,
    says: /500MB, 5GB or 2GiB/,
  },
  {
    name: 'an operator set of a folder',
    argv: folder('--opset', '17'),
    files,
    status: 2,
    says: /--opset is for --to onnx/,
  },
  {
    name: 'data apart of a folder',
    argv: folder('--external-data'),
    files,
    status: 2,
    says: /--external-data is for --to onnx/,
  },
  {
    name: 'sizes of files of an ONNX file',
    argv: onnx('--max-shard-size', '1GB'),
    files,
    status: 2,
    says: /--max-shard-size is for --to huggingface/,
  },
  {
    name: 'a place that is a file',
    argv: ['export', '--model', 'm', '--to', 'onnx', '--out', 'm/config.json/m.onnx'],
    files,
    status: 1,
    says: /cannot be made/,
  },
])

test.run()
