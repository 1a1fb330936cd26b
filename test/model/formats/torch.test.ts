/**
 * Files of torch.save: values of every type and view as PyTorch wrote them (test/golden/pretrained.py), archives put together by hand,
 * and pickles that want more than tensors, which are refused by name and byte.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError } from '../../../src/error.js'
import { bytesSource } from '../../../src/model/formats/byte_source.js'
import { parseTorch, readTorch } from '../../../src/model/formats/torch.js'
import { fuzz, fuzzCount } from '../../support/fuzz.js'
import {
  le,
  op,
  pickle,
  statePickle,
  tensorOps,
  torchLegacy,
  torchZip,
  zip,
} from '../../support/pickle_case.js'
import { pretrainedFolder } from '../../support/pretrained_case.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('torch')

const values: Record<string, { shape: number[]; values: number[] }> = JSON.parse(
  readFileSync(join(pretrainedFolder, 'tensors.json'), 'utf8'),
)
const floats = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)
const parse = (bytes: Uint8Array) => parseTorch(bytesSource(bytes, 'f.bin'))
const refusal = (bytes: Uint8Array, read = false): string => {
  try {
    const { tensors } = parse(bytes)
    if (read) for (const tensor of tensors.values()) tensor.bytes()
  } catch (error) {
    assert.instance(error, InputError, String((error as Error).stack))
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

for (const file of ['tensors.bin', 'tensors_legacy.bin', 'tensors_protocol4.bin'])
  test(`${file}: every type, view and shared storage has the values that PyTorch has`, () => {
    const { tensors, path, files } = readTorch(join(pretrainedFolder, file))
    assert.equal(files, [path])
    assert.equal([...tensors.keys()], Object.keys(values))
    for (const [name, tensor] of tensors) {
      assert.equal(tensor.shape, values[name].shape, name)
      const isFloat = /^(F|BF)/.test(tensor.dtype)
      const found = isFloat ? tensor.float32() : tensor.int32()
      assert.equal([...found], values[name].values.map(isFloat ? Math.fround : Number), name)
    }
    assert.equal(
      ['half', 'bfloat16', 'double', 'long', 'int', 'byte', 'bool'].map((name) => tensors.get(name)?.dtype),
      ['F16', 'BF16', 'F64', 'I64', 'I32', 'U8', 'BOOL'],
    )
  })

test('stored and deflated entries, of both forms of zip, are read; tensors fetch their part alone', () => {
  for (const options of [{}, { deflate: true }, { zip64: true }, { zip64: true, deflate: true }]) {
    const state = statePickle({ a: {}, row: { shape: [3], strides: [1], offset: 3 } })
    const { tensors } = parse(torchZip(state, { 0: floats }, options))
    assert.equal([...tensors.get('a')!.float32()], [1, 2, 3, 4, 5, 6], JSON.stringify(options))
    assert.equal([...tensors.get('row')!.float32()], [4, 5, 6])
  }
  const bytes = torchZip(statePickle({ row: { shape: [3], strides: [1], offset: 3 } }), { 0: floats })
  let fetched = 0
  const source = bytesSource(bytes, 'f.bin')
  const counted = { ...source, read: (target: Uint8Array, at: number) => source.read(count(target), at) }
  const count = (target: Uint8Array) => {
    fetched += target.length
    return target
  }
  const tensor = parseTorch(counted).tensors.get('row')!
  fetched = 0
  tensor.float32()
  assert.ok(fetched <= 12 + 30, `${fetched} bytes for 12`)
})

test('a file of the form before zip, put together by hand', () => {
  const { tensors } = parse(torchLegacy(statePickle(), { 0: { count: 6, bytes: floats } }))
  assert.equal([...tensors.get('w')!.float32()], [1, 2, 3, 4, 5, 6])
})

const attack = (...parts: Uint8Array[]) => torchZip(pickle(...parts))
const call = (module: string, name: string) =>
  attack(op.global(module, name), op.mark, op.text('touch /tmp/x'), op.tuple, op.reduce)

for (const [module, name] of [
  ['os', 'system'],
  ['posix', 'system'],
  ['builtins', 'eval'],
  ['builtins', 'getattr'],
  ['__builtin__', 'exec'],
  ['operator', 'attrgetter'],
  ['torch', 'load'],
  ['torch.storage', '_load_from_bytes'],
  ['torch.nn.modules.linear', 'Linear'],
  ['collections', 'OrderedDict.__class__'],
  ['__proto__', 'constructor'],
])
  test(`a pickle that names ${module}.${name} is refused by that name and its byte`, () => {
    const message = refusal(call(module, name))
    assert.match(message, `found '${module}.${name}' at byte ${2 + module.length + name.length + 3}`)
    assert.match(message, 'f.bin: archive/data.pkl')
    const stacked = attack(op.text(module), op.text(name), Buffer.from([0x93]), op.emptyTuple, op.reduce)
    assert.match(refusal(stacked), `found '${module}.${name}' at byte`)
    assert.match(refusal(torchLegacy(pickle(op.global(module, name)))), `found '${module}.${name}' at byte`)
  })

const nested = (depth: number) => attack(Buffer.alloc(depth, ']'), Buffer.alloc(depth, 0x85))
const cases: [string, () => Buffer, RegExp][] = [
  ['INST', () => attack(Buffer.from('(ios\nsystem\n')), /opcode 0x69 at byte 3/],
  ['OBJ', () => attack(Buffer.from('(o')), /opcode 0x6f/],
  ['an extension', () => attack(Buffer.from([0x82, 1])), /opcode 0x82/],
  [
    'a call of a text',
    () => attack(op.text('x'), op.emptyTuple, op.reduce),
    /a call of something that is no function/,
  ],
  [
    'a call of a type',
    () => attack(op.global('torch', 'FloatStorage'), op.emptyTuple, op.reduce),
    /a call of 'torch\.FloatStorage'/,
  ],
  [
    'attributes of a list',
    () => attack(op.emptyList, op.emptyDict, Buffer.from('b')),
    /attributes of what is no dict/,
  ],
  [
    'a memo that is empty',
    () => attack(Buffer.from('j'), le(0xfffffff0, 4)),
    /memo 4294967280, which nothing/,
  ],
  [
    'a huge index of the memo',
    () => attack(op.emptyDict, Buffer.from('r'), le(0xfffffff0, 4)),
    /a dict without a tensor/,
  ],
  ['a deep nest', () => nested(300_000), /without a tensor/],
  [
    'an integer of 2^31 bytes',
    () => attack(Buffer.from([0x8b]), le(2 ** 31 - 1, 4)),
    /an integer of 2147483647 bytes/,
  ],
  [
    'a text of 8 GiB',
    () => attack(Buffer.from([0x8d]), le(2 ** 33, 8)),
    /found \d more bytes .*expected 8589934592/,
  ],
  [
    'bytes of 2^64 - 1',
    () => attack(Buffer.from([0x8e]), Buffer.alloc(8, 0xff)),
    /expected 18446744073709552000/,
  ],
  [
    'a line without an end',
    () => attack(Buffer.from(`c${'a'.repeat(5000)}`)),
    /a line of more than 4096 bytes/,
  ],
  ['an endless pickle', () => attack(Buffer.alloc(5_000_000, 'N')), /more than 4000000 steps/],
  ['a stack that is empty', () => attack(Buffer.from('0')), /stack is empty/],
  ['what lies below a mark', () => attack(op.none, op.mark, Buffer.from('0')), /stack is empty/],
  ['a mark that is missing', () => attack(op.tuple), /without the mark/],
  ['a protocol of the future', () => torchZip(Buffer.from([0x80, 6, 0x4e, 0x2e])), /pickle protocol 6/],
  [
    'a persistent id of another kind',
    () => attack(op.mark, op.text('module'), op.tuple, op.persistent),
    /a persistent id that is no storage/,
  ],
  ['a text alone', () => attack(op.text('x')), /found 'x' without a tensor/],
  ['truncation', () => torchZip(statePickle().subarray(0, 60)), /truncated/],
]
for (const [name, make, says] of cases) test(`refused: ${name}`, () => assert.match(refusal(make()), says))

const big = 2 ** 30
for (const [name, tensor, says] of [
  [
    'past its storage',
    { offset: 1 },
    /tensor 'w', F32 \[2,3\], up to byte 28 of storage '0', expected a tensor within its 24 bytes/,
  ],
  ['strides past its storage', { strides: [big, 1] }, /up to byte/],
  ['another number of strides', { strides: [1] }, /2 sizes and 1 strides/],
  ['a negative size', { shape: [-1, 3] }, /a shape that is no whole number from 0/],
  ['a storage that is not there', { key: '7' }, /no entry 'archive\/data\/7'/],
  ['a way out of the archive', { key: '../data.pkl' }, /a storage with key '\.\.\/data\.pkl'/],
  [
    'more dimensions than tensors have',
    { shape: Array(65).fill(1), strides: Array(65).fill(1) },
    /at most 64/,
  ],
  ['a shape past all numbers', { shape: [big, big, big], strides: [0, 0, 0] }, /a shape \[/],
] as const)
  test(`a tensor with ${name} is refused`, () =>
    assert.match(refusal(torchZip(statePickle({ w: tensor }), { 0: floats })), says))

test('archives that are damaged or lie are refused', () => {
  const good = torchZip(statePickle(), { 0: floats })
  const pkl = { name: 'archive/data.pkl', content: statePickle() }
  const data = { name: 'archive/data/0', content: floats }
  const huge = { ...data, deflate: true, size: 2 ** 31 }
  for (const [bytes, says] of [
    [good.subarray(0, good.length - 30), /a zip archive with/],
    [Buffer.concat([good, Buffer.alloc(9)]), /a zip archive with/],
    [zip([pkl, pkl, data]), /two entries 'archive\/data\.pkl'/],
    [zip([pkl, { ...data, flags: 1 }]), /a zip archive with|encrypted/],
    [zip([pkl, { ...data, method: 12 }]), /compression method 12/],
    [zip([pkl, huge]), /2147483648 bytes deflated to \d+/],
    [zip([pkl, { ...data, deflate: true, size: 23 }]), /within its 23 bytes/],
    [zip([pkl, { ...data, deflate: true, size: 25 }]), /24 bytes \(the directory says 25\)/],
    [zip([pkl, { ...data, size: 1 << 20, packed: 1 << 20 }]), /overflows file bounds/],
    [zip([{ name: '../data.pkl', content: statePickle() }]), /invalid relative path/],
    [zip([data]), /without a data\.pkl/],
    [zip([]), /without a data\.pkl/],
    [torchZip(statePickle(), { 0: floats }, { order: 'big' }), /byte order 'big'/],
    [Buffer.from('PK'), /a zip archive with/],
    [Buffer.alloc(0), /an empty file/],
    [Buffer.from('hello'), /no zip archive and no pickle/],
  ] as [Buffer, RegExp][])
    assert.match(refusal(bytes, true), says)
})

test('files of the form before zip that are damaged or lie are refused', () => {
  const state = statePickle()
  const six = { count: 6, bytes: floats }
  const good = torchLegacy(state, { 0: six })
  for (const [bytes, says] of [
    [good.subarray(0, good.length - 1), /storage '0' of 24 bytes at byte \d+ of \d+/],
    [Buffer.concat([good, Buffer.alloc(1)]), /1 bytes after the last storage/],
    [torchLegacy(state, { 0: { count: 2 ** 45, bytes: floats } }), /of 140737488355328 bytes/],
    [torchLegacy(state, { 1: six }), /storage '1', which no tensor lies in/],
    [torchLegacy(state, {}), /no storage '0'/],
    [
      torchLegacy(state, { 0: six }, pickle(op.emptyDict, op.text('little_endian'), op.false, op.setItem)),
      /not little-endian/,
    ],
    [pickle(op.none), /magic number/],
    [Buffer.concat([Buffer.alloc(257), Buffer.from('ustar')]), /a tar archive of PyTorch 0\.1/],
  ] as [Buffer, RegExp][])
    assert.match(refusal(bytes), says)
})

test('a missing file is named', () => {
  assert.throws(
    () => readTorch(join(folderWith({}), 'none.bin')),
    /none\.bin: found no such file, expected a state dict/,
  )
})

test('mutated files are read or refused', async () => {
  const seeds: Uint8Array[] = ['tensors.bin', 'tensors_legacy.bin', 'tensors_protocol4.bin'].map((file) =>
    readFileSync(join(pretrainedFolder, file)),
  )
  const state = statePickle({ w: {}, v: { shape: [3, 2], strides: [1, 3] } })
  seeds.push(torchZip(state, { 0: floats }), torchZip(state, { 0: floats }, { zip64: true, deflate: true }))
  seeds.push(torchLegacy(state, { 0: { count: 6, bytes: floats } }))
  const dictionary = [
    op.global('os', 'system'),
    op.global('collections', 'OrderedDict'),
    tensorOps(),
    op.emptyTuple,
    op.reduce,
    op.persistent,
    le(2 ** 31 - 1, 4),
    le(2 ** 40, 8),
    Buffer.from('PK\x05\x06'),
    Buffer.from('PK\x01\x02'),
  ]
  const run = (bytes: Uint8Array) => {
    for (const tensor of parse(bytes).tensors.values()) if (tensor.byteLength < 1 << 20) tensor.bytes()
  }
  const { cases: ran, refused } = await fuzz({ seeds, dictionary, count: fuzzCount(2000), run })
  assert.ok(refused > ran / 10 && refused < ran, `${refused} of ${ran} refused`)
})

test.run()
