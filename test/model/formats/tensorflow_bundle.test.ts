/**
 * TensorFlow's checkpoints against files that TensorFlow wrote (test/golden/tensorflow_bundle.py), against tables built by hand,
 * and against broken, hostile and mutated ones.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError } from '../../../src/error.js'
import { type ByteSource, bytesSource } from '../../../src/model/formats/byte_source.js'
import { crc32c } from '../../../src/model/formats/crc32c.js'
import { readSafetensors } from '../../../src/model/formats/safetensors.js'
import { type Bundle, readBundle } from '../../../src/model/formats/tensorflow_bundle.js'
import { underHuggingFaceNames } from '../../../src/model/formats/tensorflow_names.js'
import { LazyTensor } from '../../../src/model/formats/weights_file.js'
import { sameBits } from '../../support/allclose.js'
import { fuzz, fuzzCount } from '../../support/fuzz.js'
import { root } from '../../support/paths.js'
import {
  block,
  blockEntry,
  bundle,
  type Described,
  description,
  header,
  slowCrc32c,
  table,
  varint,
} from '../../support/tensor_bundle.js'

const test = suite('TensorFlow bundles')
const golden = join(root, 'test/golden/tensorflow_bundle')

function shardName(place: number, count: number): string {
  return `.data-${String(place).padStart(5, '0')}-of-${String(count).padStart(5, '0')}`
}

/** A checkpoint of the golden files, any of its files replaced; others are not there. */
function open(prefix: string, replaced: Record<string, Uint8Array> = {}): Bundle {
  const source = (suffix: string): ByteSource => {
    const path = join(golden, prefix + suffix)
    const bytes = replaced[suffix] ?? (existsSync(path) ? readFileSync(path) : undefined)
    if (bytes) return bytesSource(bytes, prefix + suffix)
    throw new InputError({ file: prefix + suffix, found: 'no such file', expected: 'a shard' })
  }
  return readBundle(source('.index'), (place, count) => source(shardName(place, count)))
}

function readAll({ variables }: Bundle): Map<string, Uint8Array> {
  return new Map(variables.map((v) => [v.name, new LazyTensor(v).bytes()]))
}

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof InputError) return error.message
    throw error
  }
  assert.unreachable('nothing was refused')
  return ''
}

test('CRC-32C gives the published values, and those of a bit at a time', () => {
  const bytes = (of: (i: number) => number, length = 32) => Uint8Array.from({ length }, (_, i) => of(i))
  assert.is(crc32c(bytes(() => 0)), 0x8a9136aa)
  assert.is(crc32c(bytes(() => 255)), 0x62a8ab43)
  assert.is(crc32c(bytes((i) => i)), 0x46dd794e)
  assert.is(crc32c(bytes((i) => 31 - i)), 0x113fdb5c)
  assert.is(crc32c(new TextEncoder().encode('123456789')), 0xe3069283)
  const many = bytes((i) => (i * 2654435761) >>> 13, 1001)
  assert.is(crc32c(many), slowCrc32c(many))
})

test('every type that is read, from two shards, and text is told apart', () => {
  const bundle = open('types/types.ckpt')
  const expected = readSafetensors(join(golden, 'types/types.safetensors')).tensors
  assert.equal(bundle.unread, ['text'])
  assert.is(bundle.variables.length, expected.size)
  const shards = new Set<string>()
  for (const variable of bundle.variables) {
    const found = new LazyTensor(variable)
    const want = expected.get(variable.name)!
    shards.add(variable.path)
    assert.equal(found.shape, want.shape, variable.name)
    if (variable.name.includes('float16')) sameBits(found.float32(), want.float32())
    else {
      assert.is(found.dtype, want.dtype)
      assert.equal(found.bytes(), want.bytes(), variable.name)
    }
  }
  assert.equal([...shards].sort(), [
    'types/types.ckpt.data-00000-of-00002',
    'types/types.ckpt.data-00001-of-00002',
  ])
})

test('a table of many blocks gives every variable, in the order of their values', () => {
  const names = Array.from({ length: 50 }, (_, i) => `v${(i * 37) % 50}`)
  const variables = Object.fromEntries(
    names.map((name, i) => [
      name,
      { shape: [1 + (i % 3), 2], data: new Float32Array(2 + (i % 3) * 2).fill(i) },
    ]),
  )
  for (const perBlock of [1, 7, 100]) {
    const files = bundle(variables, perBlock)
    const found = open('made', files)
    assert.equal(new Set(found.variables.map(({ name }) => name)), new Set(names))
    for (const variable of found.variables)
      sameBits(new LazyTensor(variable).float32(), variables[variable.name].data)
    const last = found.variables.at(-1)!
    assert.is(last.name, names.at(-1))
  }
})

test('a partitioned variable is refused by name', () => {
  const said = refusal(() => open('sliced/sliced.ckpt'))
  assert.match(
    said,
    /sliced\.ckpt\.index: found variable 'bert\/embeddings\/word_embeddings' \[4,3\] in 2 slices/,
  )
})

test('a bit that flips anywhere in an index is noticed, but for the padding of its last 48 bytes', () => {
  const suffix = '.index'
  const whole = new Uint8Array(readFileSync(join(golden, 'types/types.ckpt.index')))
  const before = JSON.stringify(open('types/types.ckpt'))
  let unnoticed = 0
  for (let at = 0; at < whole.length; at++) {
    const flipped = whole.slice()
    flipped[at] ^= 1 << (at % 8)
    try {
      assert.is(JSON.stringify(open('types/types.ckpt', { [suffix]: flipped })), before)
      assert.ok(at >= whole.length - 48, `byte ${at}`)
      unnoticed++
    } catch (error) {
      assert.instance(error, InputError)
      assert.match((error as InputError).message, /^types\/types\.ckpt\.index: found .*, expected /)
    }
  }
  assert.ok(unnoticed > 0 && unnoticed < 40, `${unnoticed} flips unnoticed`)
})

test('an index that ends early is refused at every length', () => {
  const whole = new Uint8Array(readFileSync(join(golden, 'albert/model.ckpt-7.index')))
  for (let length = 0; length < whole.length; length += 7)
    assert.match(
      refusal(() => open('albert/model.ckpt-7', { '.index': whole.slice(0, length) })),
      length < 48 ? /found \d+ bytes, expected .* 48 bytes or more/ : /a truncated or foreign file/,
    )
})

test('values that end early are refused before any is read, with the byte', () => {
  const suffix = shardName(0, 1)
  const whole = new Uint8Array(readFileSync(join(golden, `albert/model.ckpt-7${suffix}`)))
  for (const length of [0, 1, 1000, whole.length - 1]) {
    const said = refusal(() => open('albert/model.ckpt-7', { [suffix]: whole.slice(0, length) }))
    assert.match(said, /^albert\/model\.ckpt-7\.data-00000-of-00001: found variable '/)
    assert.match(said, new RegExp(`at bytes \\d+ to \\d+ of a file of ${length} \\(truncated`))
  }
})

test('a bit that flips in the values is noticed when they are read, and in no other variable', () => {
  const suffix = shardName(0, 1)
  const whole = new Uint8Array(readFileSync(join(golden, `bert/bert_model.ckpt${suffix}`)))
  const clean = readAll(open('bert/bert_model.ckpt'))
  for (let at = 5; at < whole.length; at += 4999) {
    const flipped = whole.slice()
    flipped[at] ^= 1 << (at % 8)
    let damaged = 0
    for (const variable of open('bert/bert_model.ckpt', { [suffix]: flipped }).variables) {
      try {
        assert.equal(new LazyTensor(variable).bytes(), clean.get(variable.name))
      } catch (error) {
        assert.instance(error, InputError)
        const said = (error as InputError).message
        assert.match(
          said,
          /data-00000-of-00001: found variable '.*', F32 \[.*\], at byte \d+ with checksum 0x/,
        )
        damaged++
      }
    }
    assert.is(damaged, 1)
  }
})

/** A checkpoint of one variable in a shard of 24 bytes, sealed with right checksums whatever it says. */
const ordinary: Described = { shape: [2, 3], offset: 0, size: 24 }
const one = (changed: Partial<Described>, name: string | Uint8Array = 'v') =>
  table([block([blockEntry(0, '', header()), blockEntry(0, name, description({ ...ordinary, ...changed }))])])
const sealed = (...entries: number[][]) => table([block([blockEntry(0, '', header()), ...entries])])
const listing = (...handles: [number, number][]) => ({
  list: block(
    handles.map(([offset, size], i) =>
      blockEntry(0, Uint8Array.of(128 + i), [...varint(offset), ...varint(size)]),
    ),
  ),
})
const first = block([blockEntry(0, '', header())])

const hostile: [name: string, index: Uint8Array, says: RegExp][] = [
  [
    'compression',
    table([first], { compression: 1 }),
    /compressed by Snappy, expected blocks without compression/,
  ],
  ['an unknown compression', table([first], { compression: 7 }), /compressed by method 7/],
  ['no header', table([block([blockEntry(0, 'v', description(ordinary))])]), /a table without a header/],
  ['no entry at all', table([]), /a table without a header/],
  [
    'big-endian values',
    table([block([blockEntry(0, '', header({ endianness: 1 }))])]),
    /found big-endian values/,
  ],
  ['no shards', table([block([blockEntry(0, '', header({ shards: 0 }))])]), /found 0 shards/],
  ['too many shards', table([block([blockEntry(0, '', header({ shards: 100000 }))])]), /found 100000 shards/],
  [
    'a later version',
    table([block([blockEntry(0, '', header({ minConsumer: 2 }))])]),
    /readers of version 2/,
  ],
  [
    'a block listed twice',
    table([first], listing([0, first.length], [0, first.length])),
    /a block at byte 0, listed at byte \d+, expected one from byte \d+ on/,
  ],
  ['a block beyond the file', table([first], listing([0, 5000])), /a block of 5000 bytes at byte 0/],
  [
    'a block at a great offset',
    table([first], listing([2 ** 52, 2 ** 52])),
    /a block of 4503599627370496 bytes/,
  ],
  [
    'a number of 2^60',
    table([first], { list: block([blockEntry(0, 'k', [...varint(2n ** 60n), 1])]) }),
    /no whole number at byte \d+/,
  ],
  [
    'a shared key that is not there',
    sealed(blockEntry(1, 'v', [])),
    /that shares 1 bytes, expected at most the 0 before it/,
  ],
  ['a key of great length', sealed(blockEntry(0, 'v'.repeat(1025), [])), /a key of 1025 bytes at byte/],
  [
    'descending keys',
    sealed(blockEntry(0, 'w', description(ordinary)), blockEntry(0, 'v', [])),
    /that is not above the key before it/,
  ],
  ['a value beyond its block', sealed([0, 1, 100, 118]), /100 bytes announced at byte/],
  ['no restart points', table([[...blockEntry(0, '', header()), 0, 0, 0, 0]]), /with 0 restart points/],
  ['restart points beyond the block', table([[255, 255, 255, 127]]), /with 2147483647 restart points/],
  ['a name that is no text', one({}, Uint8Array.of(200, 200)), /that is no UTF-8/],
  ['a description that is none', sealed(blockEntry(0, 'v', [18, 100, 1])), /no protocol buffer/],
  [
    'a description of great length',
    sealed(blockEntry(0, 'v', new Uint8Array(70000))),
    /a description of 70000 bytes/,
  ],
  [
    'a negative dimension',
    one({ shape: [-1, 3] }),
    /variable 'v' \[-1,3\] .*, expected whole numbers from 0/,
  ],
  ['a dimension of 2^62', one({ shape: [2n ** 62n] }), /expected whole numbers from 0/],
  [
    'dimensions whose product is beyond any number',
    one({ shape: Array(8).fill(2 ** 50) }),
    /with 24 bytes at byte 0, expected .* bytes for that shape/,
  ],
  ['nine dimensions', one({ shape: Array(9).fill(1) }), /of 9 dimensions, expected at most 8/],
  [
    'another size than the shape',
    one({ size: 20 }),
    /with 20 bytes at byte 0, expected 24 bytes for that shape/,
  ],
  ['values beyond the shard', one({ offset: 1 }), /at bytes 1 to 25 of a file of 24/],
  ['a negative offset', one({ offset: -8 }), /with 24 bytes at byte -8/],
  ['a shard that is not there', one({ shard: 1 }), /in shard 1, expected shard 0/],
  ['a negative shard', one({ shard: -1 }), /in shard -1/],
]

for (const [name, index, says] of hostile)
  test(`refused, though every checksum is right: ${name}`, () => {
    const files = { '.index': index, '.data-00000-of-00001': new Uint8Array(24) }
    const said = refusal(() => open('made', files))
    assert.match(said, says)
    assert.match(said, /^made\.(index|data-00000-of-00001): found .*, expected /)
  })

test('what the table of hostile ones changes is accepted without the change', () => {
  assert.is(
    open('made', { '.index': one({}), '.data-00000-of-00001': new Uint8Array(24) }).variables.length,
    1,
  )
})

/* mutations: the files themselves, and blocks that are sealed again after the change */

const small = bundle(
  { a: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }, b: { shape: [], data: Float32Array.of(5) } },
  1,
)
const goldenIndex = (name: string) => new Uint8Array(readFileSync(join(golden, `${name}.index`)))
/** The block of entries, the only one: behind it come its trailer, an empty block, a list of one, each sealed, and the footer. */
const contents = (name: string) => goldenIndex(name).subarray(0, -(5 + 8 + 5 + 15 + 5 + 48))
const values = Object.fromEntries(
  ['albert/model.ckpt-7', 'bert/bert_model.ckpt'].map((name) => [
    name,
    new Uint8Array(readFileSync(join(golden, `${name}.data-00000-of-00001`))),
  ]),
)
const shards = {
  '.data-00000-of-00001': values['albert/model.ckpt-7'],
  ...Object.fromEntries(
    [0, 1].map((place) => [
      shardName(place, 2),
      new Uint8Array(readFileSync(join(golden, `types/types.ckpt${shardName(place, 2)}`))),
    ]),
  ),
}
const numbers = [0, 1, 127, 128, 2 ** 31, 2 ** 53, 2n ** 63n].map((n) => Uint8Array.from(varint(n)))

test('mutated indexes are refused or read, without a crash, a hang or much memory', async () => {
  const result = await fuzz({
    seeds: [
      small['.index'],
      goldenIndex('types/types.ckpt'),
      goldenIndex('albert/model.ckpt-7'),
      goldenIndex('sliced/sliced.ckpt'),
    ],
    dictionary: numbers,
    count: fuzzCount(700),
    run: (bytes) => void readAll(open('made', { ...shards, '.index': bytes })),
  })
  assert.ok(result.refused > result.cases / 2)
})

test('mutated blocks with right checksums likewise, under the names of either family', async () => {
  const seeds = ['types/types.ckpt', 'albert/model.ckpt-7'].map(contents)
  const described = block([blockEntry(0, '', header()), blockEntry(0, 'v', description(ordinary))])
  const run = (bytes: Uint8Array, k: number): number => {
    const index = k % 4 === 2 ? table([first], { list: bytes }) : table([bytes])
    const { variables } = open('made', { ...shards, '.index': index })
    const family = k % 2 === 0 ? 'albert' : 'bert'
    const { tensors } = underHuggingFaceNames('made.index', variables, family)
    for (const tensor of tensors.values()) tensor.bytes()
    return variables.length
  }
  assert.equal(seeds.map(run), [12, 97])
  const result = await fuzz({
    seeds: [...seeds, Uint8Array.from(described)],
    dictionary: [...numbers, Uint8Array.from(description(ordinary)), Uint8Array.from(header())],
    count: fuzzCount(700),
    run: (bytes, k) => void run(bytes, k),
  })
  assert.ok(result.refused > 0 && result.refused < result.cases)
})

test('mutated values are refused, or were not read', async () => {
  const suffix = shardName(0, 1)
  const result = await fuzz({
    seeds: [values['bert/bert_model.ckpt']],
    count: fuzzCount(600),
    run: (bytes) => void readAll(open('bert/bert_model.ckpt', { [suffix]: bytes })),
  })
  assert.ok(result.refused > result.cases / 2)
})

test.run()
