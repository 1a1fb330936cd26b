/**
 * safetensors against a file of the reference implementation (test/golden/dtypes.py), against bytes built and parsed
 * by hand here, and against a table of broken files.
 */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../../src/error.js'
import {
  readSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from '../../../src/model/formats/safetensors.js'
import { allclose, sameBits } from '../../support/allclose.js'
import { root } from '../../support/paths.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'

const test = suite('safetensors')
const golden = join(root, 'test/golden/dtypes.safetensors')
const infinity = Number.POSITIVE_INFINITY

/** A file with this header (text or a value for JSON) and data. */
function build(header: unknown, data = new Uint8Array(0), headerLength?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + json.length + data.length)
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(data, 8 + json.length)
  return bytes
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

test('every float type of the reference implementation comes in as float32', () => {
  const { tensors, metadata } = readSafetensors(golden)
  const plain = [0, -0, 1, -2.5, 0.333251953125, 65504, 6e-8, 1e-5, infinity, -infinity, Number.NaN]
  const half = plain.with(6, 2 ** -24).with(7, 1.0013580322265625e-5)
  const brain = [0, -0, 1, -2.5, 0.333984375, 65536, 6.007030606269836e-8, 1.0013580322265625e-5]
  const expected = { f64: plain, f32: plain, f16: half, bf16: [...brain, infinity, -infinity, Number.NaN] }
  for (const [name, values] of Object.entries(expected)) {
    assert.is(tensors.get(name)?.dtype, name.toUpperCase())
    const read = tensors.get(name)!.float32()
    Float32Array.from(values).forEach((value, i) => {
      assert.ok(Object.is(read[i], value), `${name}[${i}] is ${read[i]}, want ${value}`)
    })
    const into = new Float32Array(13).subarray(1, 12)
    assert.is(tensors.get(name)!.float32(into), into)
    sameBits(into, read)
  }
  assert.equal([...metadata].sort(), [
    ['about', 'grüße'],
    ['format', 'pt'],
  ])
})

test('every integer type comes in as int32, with its shape', () => {
  const { tensors } = readSafetensors(golden)
  const last = { i64: -(2 ** 31), i32: -(2 ** 31), i16: -32768, i8: -128, u8: 255, u16: 65535 }
  for (const [name, value] of Object.entries({ ...last, u32: 2 ** 31 - 1, u64: 2 ** 31 - 1 })) {
    assert.equal(tensors.get(name)?.shape, [2, 3])
    assert.equal([...tensors.get(name)!.int32()], [0, 1, 2, 100, 127, value], name)
  }
  assert.equal([...tensors.get('bool')!.int32()], [1, 0, 1])
})

test('scalars, empty tensors and names beyond ASCII are read', () => {
  const { tensors } = readSafetensors(golden)
  assert.equal(tensors.get('scalar')?.shape, [])
  assert.equal([...tensors.get('scalar')!.float32()], [7.25])
  assert.equal(tensors.get('none')?.shape, [3, 0, 2])
  assert.is(tensors.get('none')!.float32().length, 0)
  assert.equal([...tensors.get('naïve/β-carotene')!.float32()], [1.5])
  assert.is(tensors.size, 17)
})

test('an accessor of the wrong kind, or a value too large for it, is an InputError', () => {
  const { tensors } = readSafetensors(golden)
  assert.throws(
    () => tensors.get('i32')!.float32(),
    (error: Error) => error instanceof InputError && /'i32', I32 \[2,3\]/.test(error.message),
  )
  assert.throws(() => tensors.get('f32')!.int32(), /whole numbers/)
  assert.throws(() => tensors.get('too_large')!.int32(), /the one at 0 is 1099511627776/)
  assert.throws(() => tensors.get('f32')!.float32(new Float32Array(10)), /10 places for 11 values/)
})

test('what is written has the layout of the format, aligned, and is written whole', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'model.safetensors')
  const weight = Float32Array.from([1, -2, 3, 0.1, 5, 6])
  const tensors: [string, TensorToWrite][] = [
    ['flags', { shape: [3], data: Uint8Array.from([1, 2, 3]) }],
    ['weight', { shape: [2, 3], data: new Float32Array([9, ...weight, 9]).subarray(1, 7) }],
    ['step', { shape: [], data: BigInt64Array.from([2n ** 40n]) }],
    ['lazy', { shape: [2], dtype: 'I32', data: () => Promise.resolve(Int32Array.from([-1, 7])) }],
    ['none', { shape: [0, 4], data: new Float32Array(0) }],
  ]
  await writeSafetensors(path, tensors, { format: 'pt', step: '12' })
  assert.equal(readdirSync(folder), ['model.safetensors'])

  const bytes = new Uint8Array(readFileSync(path))
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
  assert.is(length % 8, 0)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
  assert.equal(header.__metadata__, { format: 'pt', step: '12' })
  assert.equal(header.step, { dtype: 'I64', shape: [], data_offsets: [0, 8] })
  assert.equal(header.weight, { dtype: 'F32', shape: [2, 3], data_offsets: [8, 32] })
  assert.equal(header.lazy, { dtype: 'I32', shape: [2], data_offsets: [32, 40] })
  assert.equal(header.flags, { dtype: 'U8', shape: [3], data_offsets: [40, 43] })
  assert.is(bytes.length, 8 + length + 43)
  sameBits(bytes.slice(8 + length + 8, 8 + length + 32), weight)
  sameBits(bytes.slice(8 + length + 40), Uint8Array.from([1, 2, 3]))
})

test('a file of the reference implementation survives being read and written', async () => {
  const from = readSafetensors(join(root, 'test/golden/albert/pretraining.safetensors'))
  const copy = join(temporaryFolder(), 'copy.safetensors')
  const floats = [...from.tensors.values()].filter((tensor) => tensor.dtype === 'F32')
  assert.ok(floats.length > 50)
  await writeSafetensors(
    copy,
    floats.map((tensor) => [tensor.name, { shape: tensor.shape, data: () => tensor.float32() }]),
  )
  const to = readSafetensors(copy)
  assert.is(to.tensors.size, floats.length)
  for (const tensor of floats) {
    assert.equal(to.tensors.get(tensor.name)?.shape, tensor.shape)
    sameBits(to.tensors.get(tensor.name)!.bytes(), tensor.bytes(), { name: tensor.name })
  }
  const norms = from.tensors.get('lamb/grad_norms')!.float32()
  const squares = floats
    .filter(({ name }) => name.startsWith('gradients/'))
    .flatMap((tensor) => [...tensor.float32()].map((x) => x * x))
  allclose([Math.sqrt(squares.reduce((a, b) => a + b))], norms.subarray(0, 1))
})

test('tensors larger than one system call keep their order', async () => {
  const path = join(temporaryFolder(), 'large.safetensors')
  const large = new Float32Array((1 << 24) + 12_345)
  for (let i = 0; i < large.length; i += 997) large[i] = i
  await writeSafetensors(path, [
    ['large', { shape: [large.length], data: large }],
    ['after', { shape: [1], data: Float32Array.of(3) }],
  ])
  const { tensors } = readSafetensors(path)
  sameBits(tensors.get('large')!.float32(), large)
  assert.equal([...tensors.get('after')!.float32()], [3])
})

test('a write that fails leaves the old file as it was and nothing else', async () => {
  const folder = folderWith({ 'model.safetensors': 'old' })
  const path = join(folder, 'model.safetensors')
  const good: [string, TensorToWrite] = ['good', { shape: [2], data: new Float32Array(2) }]
  const bad: [string, TensorToWrite, RegExp][] = [
    ['count', { shape: [3], data: new Float32Array(2) }, /'count' is 2 values of F32, want F32 \[3\]/],
    ['type', { shape: [2], data: () => new Int32Array(2) }, /'type' is 2 values of I32, want F32 \[2\]/],
    [
      'thrown',
      {
        shape: [2],
        data: () => {
          throw new Error('device lost')
        },
      },
      /device lost/,
    ],
    ['good', { shape: [2], data: new Float32Array(2) }, /two tensors of one name/],
  ]
  for (const [name, tensor, expected] of bad) {
    const error = await rejection(writeSafetensors(path, [good, [name, tensor]]))
    assert.ok(error instanceof Error && expected.test(error.message), String(error))
    assert.is(readFileSync(path, 'utf8'), 'old')
    assert.equal(readdirSync(folder), [basename(path)])
  }
  const error = await rejection(writeSafetensors(join(folder, 'absent', 'x.safetensors'), [good]))
  assert.ok(error instanceof UserError && /cannot be written/.test(error.message), String(error))
})

const f32 = (begin: number, end: number, shape: unknown = [1]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
})
const four = new Uint8Array(4)
const eight = new Uint8Array(8)

const broken: [name: string, content: Uint8Array | string, expected: RegExp][] = [
  ['an empty file', '', /found 0 bytes/],
  ['text', 'a line of text, no tensors\n', /found a header length of .*\(foreign or truncated\)/],
  ['a zip archive', 'PK\x03\x04 and so on', /found a zip archive/],
  ['a header longer than the file', build({ a: f32(0, 4) }, four, 4000n), /header length of 4000 in a file/],
  ['a header length past 2^53', build({}, four, 2n ** 63n), /header length of 9223372036854775808/],
  ['a header that is no JSON', build('{"a": {"dtype": '), /found a header that is no JSON,/],
  [
    'a header that is no UTF-8',
    new Uint8Array([4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0xfe, 0x7d]),
    /found a header that is no JSON,/,
  ],
  ['a header that is an array', build([1, 2]), /found a header that is no JSON object/],
  ['an entry that is a number', build({ a: 3 }), /found header entry 'a' that is no object/],
  ['metadata that is no text', build({ __metadata__: { step: 3 } }), /found metadata 'step' that is no text/],
  [
    'an unknown type',
    build({ a: { ...f32(0, 4), dtype: 'F8_E4M3' } }, four),
    /found tensor 'a' of type "F8_E4M3"/,
  ],
  ['a type from Object.prototype', build({ a: { ...f32(0, 4), dtype: 'toString' } }, four), /of type "toStr/],
  ['a negative dimension', build({ a: f32(0, 4, [-1]) }, four), /found tensor 'a' of shape \[-1\]/],
  ['a fractional dimension', build({ a: f32(0, 4, [0.5]) }, four), /found tensor 'a' of shape \[0.5\]/],
  ['no shape', build({ a: { dtype: 'F32', data_offsets: [0, 4] } }, four), /of shape undefined/],
  ['three offsets', build({ a: { ...f32(0, 4), data_offsets: [0, 4, 8] } }, four), /data_offsets \[0,4,8\]/],
  [
    'offsets that contradict the shape',
    build({ a: f32(0, 4, [2]) }, four),
    /expected 8 bytes for that shape/,
  ],
  ['offsets that run backwards', build({ a: f32(4, 0) }, four), /\[4, 0\], expected 4 bytes/],
  [
    'a shape of infinite size',
    build({ a: f32(0, 4, Array(40).fill(1e15)) }, four),
    /expected Infinity bytes/,
  ],
  [
    'overlapping tensors',
    build({ a: f32(0, 8, [2]), b: f32(4, 8) }, eight),
    /found tensor 'b' at byte 4 of the data, overlapping the tensor before it, expected byte 8/,
  ],
  ['a hole', build({ a: f32(4, 8) }, eight), /'a' at byte 4 of the data, leaving a hole before it/],
  [
    'truncated data',
    build({ a: f32(0, 8, [2]) }, four),
    /found 4 bytes of data \(a truncated file\), expected 8 bytes/,
  ],
  ['bytes after the data', build({ a: f32(0, 4) }, eight), /bytes after the last tensor/],
]

for (const [name, content, expected] of broken) {
  test(`${name} is refused by name`, () => {
    const path = join(folderWith({ 'x.safetensors': content }), 'x.safetensors')
    assert.throws(
      () => readSafetensors(path),
      (error: Error) =>
        error instanceof InputError && error.message.startsWith(path) && expected.test(error.message),
    )
  })
}

test('a missing file and a folder are refused by name', () => {
  const folder = temporaryFolder()
  assert.throws(() => readSafetensors(join(folder, 'none.safetensors')), /found no such file/)
  assert.throws(
    () => readSafetensors(folder),
    (error: Error) => error instanceof InputError,
  )
})

test('every truncation of a good file is refused', () => {
  const whole = readFileSync(golden)
  const path = join(temporaryFolder(), 'x.safetensors')
  for (let length = 0; length < whole.length; length += 7) {
    writeFileSync(path, whole.subarray(0, length))
    assert.throws(
      () => readSafetensors(path),
      (error: Error) => error instanceof InputError,
    )
  }
})

test('a file cut short after it was opened is noticed when a tensor is read', () => {
  const path = join(folderWith({ 'x.safetensors': new Uint8Array(readFileSync(golden)) }), 'x.safetensors')
  const { tensors } = readSafetensors(path)
  const last = [...tensors.values()].findLast((tensor) => tensor.byteLength > 0)!
  truncateSync(path, statSync(path).size - 1)
  assert.throws(() => last.bytes(), /has changed since it was opened/)
})

test.run()
