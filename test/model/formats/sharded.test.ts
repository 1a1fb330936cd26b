/** Weights in several files: the index is believed where it is right, and every way in which it can be wrong has a name. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openModel } from '../../../src/model/folder.js'
import { bytesSource } from '../../../src/model/formats/byte_source.js'
import { openWeights } from '../../../src/model/formats/index.js'
import { encodeSafetensors, parseSafetensors } from '../../../src/model/formats/safetensors_format.js'
import { parseIndex } from '../../../src/model/formats/sharded.js'
import { fuzz, fuzzCount } from '../../support/fuzz.js'
import { statePickle, torchZip } from '../../support/pickle_case.js'
import { pretrainedFolder } from '../../support/pretrained_case.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('sharded')

const shard = (...names: string[]) =>
  encodeSafetensors(
    'x',
    names.map((name, i) => [name, { shape: [2], data: Float32Array.of(i, 1) }]),
  )
const [first, second] = [await shard('a', 'b'), await shard('c')]
const index = (map: unknown) => JSON.stringify({ metadata: { total_size: 24 }, weight_map: map })
const INDEX = 'model.safetensors.index.json'
const good = { a: 'one.safetensors', b: 'one.safetensors', c: 'two.safetensors' }
const files = { 'one.safetensors': first, 'two.safetensors': second }

test('tensors of all files are there, and so are those that the index leaves out', () => {
  const dir = folderWith({ ...files, [INDEX]: index({ a: good.a, c: good.c }) })
  const weights = openWeights(join(dir, INDEX))
  assert.equal([...weights.tensors.keys()].sort(), ['a', 'b', 'c'])
  assert.equal([...weights.tensors.get('c')!.float32()], [0, 1])
  assert.equal(
    weights.files,
    [INDEX, 'one.safetensors', 'two.safetensors'].map((file) => join(dir, file)),
  )
})

for (const [name, content, more, says] of [
  ['no JSON', 'x', files, /index\.json: found no JSON/],
  ['no map', '{"weight_map": []}', files, /no weight_map with a tensor/],
  ['an empty map', index({}), files, /no weight_map with a tensor/],
  ['null', 'null', files, /no weight_map/],
  [
    'a way up',
    index({ a: '../one.safetensors' }),
    files,
    /tensor 'a' in "\.\.\/one\.safetensors", expected the name of a file/,
  ],
  ['an absolute path', index({ a: '/etc/passwd' }), files, /in "\/etc\/passwd"/],
  ['a folder below', index({ a: 'x/one.safetensors' }), files, /the name of a file beside the index/],
  ['a backslash', index({ a: '..\\one' }), files, /the name of a file beside the index/],
  ['a zero byte', index({ a: 'one\0' }), files, /the name of a file beside the index/],
  ['a number', index({ a: 3 }), files, /tensor 'a' in 3/],
  [
    'a file that is missing',
    index({ ...good, d: 'three.safetensors' }),
    files,
    /three\.safetensors: found no such file, expected the weights that .*index\.json says/,
  ],
  [
    'a tensor in another file',
    index({ ...good, a: 'two.safetensors' }),
    files,
    /tensor 'a' in one\.safetensors, expected it in two\.safetensors/,
  ],
  [
    'a tensor in no file',
    index({ ...good, z: 'two.safetensors' }),
    files,
    /tensor 'z' in none of the files, expected it in two/,
  ],
  [
    'a tensor twice',
    index(good),
    { ...files, 'two.safetensors': await shard('c', 'a') },
    /tensor 'a' in one\.safetensors and in two\.safetensors/,
  ],
  [
    'a file that is damaged',
    index(good),
    { ...files, 'two.safetensors': second.subarray(0, -1) },
    /two\.safetensors: .*truncated/,
  ],
  [
    'a file of another form',
    index(good),
    { ...files, 'two.safetensors': torchZip(statePickle()) },
    /two\.safetensors: found a zip archive/,
  ],
] as const)
  test(`an index with ${name} is refused`, () => {
    const dir = folderWith({ ...more, [INDEX]: content })
    assert.throws(() => openWeights(join(dir, INDEX)), says)
  })

test('a folder whose weights are missing says which file it wants', () => {
  const config = readFileSync(join(pretrainedFolder, 'bert_parallel/config.json'), 'utf8')
  const dir = folderWith({ 'config.json': config })
  assert.throws(() => openModel(dir), /model\.safetensors: found no such file/)
})

test('mutated indices are read or refused', async () => {
  const text = readFileSync(join(pretrainedFolder, 'albert_pretraining_sharded', INDEX))
  const dictionary = [
    '"weight_map":',
    '{}',
    '[]',
    'null',
    '"../x"',
    '1e999',
    '"__proto__":"x"',
    '\\u0000',
    ',',
  ]
  const { cases, refused } = await fuzz({
    seeds: [text, index(good)],
    dictionary,
    count: fuzzCount(2000),
    run: (bytes) => void parseIndex(Buffer.from(bytes).toString(), 'i'),
  })
  assert.ok(refused > cases / 10 && refused < cases, `${refused} of ${cases}`)
})

test('mutated safetensors files are read or refused', async () => {
  const golden = readFileSync(
    join(pretrainedFolder, 'albert_pretraining_sharded/model-00001-of-00004.safetensors'),
  )
  const dictionary = [
    '"F32"',
    '"shape":[',
    '4294967296',
    '9007199254740993',
    '"data_offsets"',
    '{',
    '__metadata__',
  ]
  const { cases, refused } = await fuzz({
    seeds: [first, second, golden],
    dictionary,
    count: fuzzCount(2000),
    run: (bytes) => {
      for (const tensor of parseSafetensors(bytesSource(bytes, 's')).tensors.values()) tensor.bytes()
    },
  })
  assert.ok(refused > cases / 10 && refused < cases, `${refused} of ${cases}`)
})

test.run()
