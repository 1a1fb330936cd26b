/**
 * Exported folders: the same weights under the same names in one file or in several, and, where Python has transformers, the same
 * outputs there for every head of both families.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerPython } from '../../bench/support/peers.js'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import type { ModelType } from '../../src/model/config.js'
import { readSafetensors } from '../../src/model/formats/safetensors.js'
import { exportFolder } from '../../src/model/hub_folder.js'
import type { ModelKind } from '../../src/model/kind.js'
import { readWholeModel } from '../../src/model/whole_model.js'
import { allclose, sameBits } from '../support/allclose.js'
import {
  architectureOf,
  FAMILIES,
  LABELS,
  MODEL_KINDS,
  nanoFolder,
  ownOutputs,
  sequencesOf,
} from '../support/export_case.js'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'
import { smallPieces } from '../support/vocabulary.js'

const test = suite('exported folders')

const LARGE = 5e9

async function exported(dir: string, largest = LARGE) {
  const out = join(temporaryFolder(), 'out')
  return { out, ...(await exportFolder(out, readWholeModel(dir), largest)) }
}

function weightsOf(dir: string): Map<string, Float32Array> {
  const files = readdirSync(dir).filter((file) => file.endsWith('.safetensors'))
  const all = files.sort().flatMap((file) => [...readSafetensors(join(dir, file)).tensors])
  assert.is(new Set(all.map(([name]) => name)).size, all.length)
  return new Map(all.map(([name, tensor]) => [name, tensor.float32()]))
}

for (const family of FAMILIES)
  for (const kind of MODEL_KINDS)
    test(`${family} ${kind}: comes back whole`, async () => {
      const dir = await nanoFolder(family, kind)
      const { out, files, missing } = await exported(dir)
      assert.equal([...files].sort(), readdirSync(out).sort())
      assert.equal(missing, [])
      const [before, after] = [readWholeModel(dir), readWholeModel(out)]
      assert.equal(after.config, before.config)
      assert.is(after.kind, kind)
      assert.is(after.architecture, architectureOf(family, kind))
      assert.equal(after.labels, before.labels)
      sameBits(after.data, before.data, { name: 'weights' })
      assert.is(loadTokenizer(out).digest, loadTokenizer(dir).digest)
    })

for (const family of FAMILIES)
  test(`${family}: in several files are the tensors of one, and the index knows them`, async () => {
    const dir = await nanoFolder(family, 'PreTraining')
    const largest = 60_000
    const one = await exported(dir)
    const { out, files, bytes } = await exported(dir, largest)
    const shards = files.filter((file) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(file))
    assert.ok(shards.length > 3)
    assert.not.ok(existsSync(join(out, 'model.safetensors')))
    const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8'))
    const [whole, parts] = [weightsOf(one.out), weightsOf(out)]
    assert.equal([...parts.keys()].sort(), [...whole.keys()].sort())
    for (const [name, values] of parts) sameBits(values, whole.get(name)!, { name })
    assert.equal(Object.keys(index.weight_map), [...parts.keys()].sort())
    assert.is(index.metadata.total_size, bytes)
    assert.is(bytes, 4 * readWholeModel(dir).parameters.count)
    for (const shard of shards) {
      const { tensors } = readSafetensors(join(out, shard))
      for (const name of tensors.keys()) assert.is(index.weight_map[name], shard)
      const size = [...tensors.values()].reduce((n, tensor) => n + tensor.byteLength, 0)
      assert.ok(size <= largest || tensors.size === 1, `${shard}: ${size} bytes in ${tensors.size} tensors`)
    }
    sameBits(readWholeModel(out).data, readWholeModel(dir).data, { name: 'weights as they load' })
    assert.ok(shards.some((shard) => statSync(join(out, shard)).size > largest / 2))
  })

test('a limit that is exactly the size of the weights makes one file, one byte less makes two', async () => {
  const dir = await nanoFolder('albert', 'Model')
  const { bytes } = await exported(dir)
  const shards = async (largest: number) =>
    (await exported(dir, largest)).files.filter((file) => file.endsWith('.safetensors'))
  assert.equal(await shards(bytes), ['model.safetensors'])
  assert.equal(await shards(bytes - 1), [
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
  ])
})

test('an encoder without a pooler, and weights without a word on what they are', async () => {
  const dir = await nanoFolder('bert', 'TokenClassification')
  const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))
  const say = (architectures?: string[]) =>
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, architectures }))
  say(['BertModel'])
  const alone = readWholeModel(dir)
  assert.is(alone.encoder.pooler, undefined)
  assert.equal(alone.ignored, ['classifier.weight', 'classifier.bias'])
  for (const kind of MODEL_KINDS) {
    const folder = await nanoFolder('albert', kind)
    const file = join(folder, 'config.json')
    const { architectures: _, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify(rest))
    assert.is(readWholeModel(folder).kind, kind)
  }
})

test('labels that config.json does not name are as many as the weights have', async () => {
  const dir = await nanoFolder('albert', 'SequenceClassification')
  const file = join(dir, 'config.json')
  const { id2label: _, label2id: __, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify(rest))
  const { out } = await exported(dir)
  assert.equal(readWholeModel(out).labels, ['LABEL_0', 'LABEL_1', 'LABEL_2'])
  const { id2label } = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))
  assert.equal(id2label, { 0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2' })
})

test('the tokenizer allows no more pieces than there are positions', async () => {
  const { out } = await exported(await nanoFolder('bert', 'Model'))
  const json = JSON.parse(readFileSync(join(out, 'tokenizer_config.json'), 'utf8'))
  assert.is(json.model_max_length, 48)
  assert.is(json.mask_token, '[MASK]')
})

interface Loaded {
  class: string
  dtype: string
  missing: string[]
  unexpected: string[]
  outputs: Record<string, number[]>
  tokens: string[]
  labels: Record<string, string>
  found: { entity_group: string; word: string; start: number; end: number }[] | null
}

const TEXT = 'the patient had fever and cough'

/** What transformers makes of the folders, by their names; Python is started once. */
function load(folders: readonly string[], sequences: object): Record<string, Loaded> {
  const argv = [join(root, 'test/golden/load_exported.py'), ...folders]
  const input = JSON.stringify({ sequences, text: TEXT })
  const { status, stdout, stderr } = spawnSync(peerPython()!, argv, { encoding: 'utf8', input })
  assert.is(status, 0, stderr.slice(-2000))
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

async function sameInTransformers(): Promise<void> {
  const sequences = sequencesOf([12, 3, 1, 40], smallPieces.length)
  const cases: { out: string; family: ModelType; kind: ModelKind }[] = []
  for (const family of FAMILIES)
    for (const kind of MODEL_KINDS)
      cases.push({ ...(await exported(await nanoFolder(family, kind), 150_000)), family, kind })
  const plain = sequences.map(({ ids, second }) => ({ ids: Array.from(ids), second }))
  const answers = load(
    cases.map(({ out }) => out),
    plain,
  )
  for (const { out, family, kind } of cases) {
    const loaded = answers[out]
    assert.is(loaded.class, architectureOf(family, kind))
    assert.is(loaded.dtype, 'torch.float32')
    assert.equal([...loaded.missing, ...loaded.unexpected], [])
    // the weights of a folder are those of the other, as other tests say
    const own = await ownOutputs(readWholeModel(await nanoFolder(family, kind)), sequences)
    assert.equal(Object.keys(loaded.outputs).sort(), [...own.keys()].sort())
    for (const [name, values] of own)
      allclose(loaded.outputs[name], values, { rtol: 1e-6, atol: 4e-6, name: `${loaded.class}, ${name}` })
    const mark = family === 'albert' ? '▁' : ''
    assert.equal(loaded.tokens, ['[CLS]', ...TEXT.split(' ').map((word) => mark + word), '[SEP]'])
    if (!kind.endsWith('Classification')) continue
    assert.equal(loaded.labels, Object.fromEntries(LABELS.map((label, i) => [i, label])))
    if (kind !== 'TokenClassification') continue
    assert.ok(Array.isArray(loaded.found))
    for (const { entity_group, word, start, end } of loaded.found!) {
      assert.is(entity_group, 'Disease')
      assert.is(TEXT.slice(start, end), word)
    }
  }
}

const name = 'every head of both families: the same outputs in transformers, its tokenizer and its pipeline'
if (peerPython() === undefined)
  skip(test, name, 'needs BIOALBERT_PEER_PYTHON, a Python with test/golden/requirements.txt')
else test(name, sameInTransformers)

test.run()
