/**
 * Pickles and zip archives put together by hand, byte by byte, for what no honest program writes: calls of anything, claimed
 * lengths, damaged directories. Independent of the readers under test.
 */
import { crc32, deflateRawSync } from 'node:zlib'

const latin = (text: string) => Buffer.from(text, 'latin1')

/** Little-endian, of `width` bytes. */
export function le(value: number | bigint, width: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
  return bytes.subarray(0, width)
}

export const op = {
  proto: (version = 2) => Buffer.from([0x80, version]),
  global: (module: string, name: string) => latin(`c${module}\n${name}\n`),
  text: (value: string) => Buffer.concat([latin('X'), le(Buffer.byteLength(value), 4), Buffer.from(value)]),
  int: (value: number) => Buffer.concat([latin('J'), le(value, 4)]),
  long: (value: bigint, width: number) =>
    Buffer.concat([Buffer.from([0x8a, width]), le(value, 8).subarray(0, width)]),
  mark: latin('('),
  tuple: latin('t'),
  none: latin('N'),
  false: Buffer.from([0x89]),
  true: Buffer.from([0x88]),
  emptyTuple: latin(')'),
  emptyDict: latin('}'),
  emptyList: latin(']'),
  reduce: latin('R'),
  persistent: latin('Q'),
  setItem: latin('s'),
  appends: latin('e'),
  stop: latin('.'),
}

export const pickle = (...parts: Uint8Array[]): Buffer => Buffer.concat([op.proto(), ...parts, op.stop])

export interface TensorText {
  readonly key?: string
  readonly type?: string
  readonly count?: number
  readonly offset?: number
  readonly shape?: readonly number[]
  readonly strides?: readonly number[]
}

/** What makes a tensor, as torch.save writes it. */
export function tensorOps(tensor: TensorText = {}): Buffer {
  const { key = '0', type = 'FloatStorage', count = 6, offset = 0, shape = [2, 3], strides = [3, 1] } = tensor
  const ints = (values: readonly number[]) => [op.mark, ...values.map(op.int), op.tuple]
  return Buffer.concat([
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    op.mark,
    op.text('storage'),
    op.global('torch', type),
    op.text(key),
    op.text('cpu'),
    op.int(count),
    op.tuple,
    op.persistent,
    op.int(offset),
    ...ints(shape),
    ...ints(strides),
    op.false,
    op.global('collections', 'OrderedDict'),
    op.emptyTuple,
    op.reduce,
    op.tuple,
    op.reduce,
  ])
}

/** A pickle of {name: tensor}. */
export function statePickle(tensors: Readonly<Record<string, TensorText>> = { w: {} }): Buffer {
  const items = Object.entries(tensors).flatMap(([name, tensor]) => [
    op.text(name),
    tensorOps(tensor),
    op.setItem,
  ])
  return pickle(op.emptyDict, ...items)
}

export interface ZipEntry {
  readonly name: string
  readonly content: Uint8Array
  readonly deflate?: boolean
  /** What the directory claims instead of the truth. */
  readonly size?: number
  readonly packed?: number
  readonly flags?: number
  readonly method?: number
}

/** A zip archive, with `zip64` of the form for large files. */
export function zip(entries: readonly ZipEntry[], { zip64 = false } = {}): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const entry of entries) {
    const { name, content, deflate = false, flags = 0, method = deflate ? 8 : 0 } = entry
    const data = deflate ? deflateRawSync(content) : Buffer.from(content)
    const [size, packed] = [entry.size ?? content.length, entry.packed ?? data.length]
    const title = Buffer.from(name)
    const facts = (sizes: Buffer) =>
      Buffer.concat([
        le(flags, 2),
        le(method, 2),
        le(0, 4),
        le(crc32(content), 4),
        sizes,
        le(title.length, 2),
      ])
    const plain = Buffer.concat([le(packed, 4), le(size, 4)])
    const local = Buffer.concat([latin('PK\x03\x04'), le(20, 2), facts(plain), le(0, 2), title, data])
    const far = Buffer.concat([le(1, 2), le(24, 2), le(size, 8), le(packed, 8), le(at, 8)])
    const extra = zip64 ? far : Buffer.alloc(0)
    const hidden = Buffer.alloc(8, 0xff)
    directory.push(
      Buffer.concat([
        latin('PK\x01\x02'),
        le(20, 2),
        le(20, 2),
        facts(zip64 ? hidden : plain),
        le(extra.length, 2),
        Buffer.alloc(10),
        zip64 ? le(0xffffffff, 4) : le(at, 4),
        title,
        extra,
      ]),
    )
    files.push(local)
    at += local.length
  }
  const listed = Buffer.concat(directory)
  const counts = (n: number, width: number) => [le(n, width), le(n, width)]
  const end64 = Buffer.concat([
    latin('PK\x06\x06'),
    le(44, 8),
    Buffer.alloc(4),
    Buffer.alloc(8),
    ...counts(entries.length, 8),
    le(listed.length, 8),
    le(at, 8),
    latin('PK\x06\x07'),
    le(0, 4),
    le(at + listed.length, 8),
    le(1, 4),
  ])
  const end = Buffer.concat([
    latin('PK\x05\x06'),
    Buffer.alloc(4),
    ...counts(zip64 ? 0xffff : entries.length, 2),
    zip64 ? Buffer.alloc(8, 0xff) : Buffer.concat([le(listed.length, 4), le(at, 4)]),
    le(0, 2),
  ])
  return Buffer.concat([...files, listed, ...(zip64 ? [end64] : []), end])
}

/** A file of torch.save with that pickle and those storages. */
export function torchZip(
  state: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = { 0: new Uint8Array(24) },
  options: { zip64?: boolean; deflate?: boolean; order?: string } = {},
): Buffer {
  const { zip64, deflate, order = 'little' } = options
  return zip(
    [
      { name: 'archive/data.pkl', content: state, deflate },
      { name: 'archive/byteorder', content: Buffer.from(order), deflate },
      ...Object.entries(storages).map(([key, content]) => ({
        name: `archive/data/${key}`,
        content,
        deflate,
      })),
    ],
    { zip64 },
  )
}

const machine = pickle(op.emptyDict, op.text('little_endian'), op.true, op.setItem)

/** The form before zip. */
export function torchLegacy(
  state: Uint8Array,
  storages: Readonly<Record<string, { count: number; bytes: Uint8Array }>> = {
    0: { count: 6, bytes: new Uint8Array(24) },
  },
  facts: Uint8Array = machine,
): Buffer {
  const magic = Buffer.concat([
    op.proto(),
    Buffer.from([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
    op.stop,
  ])
  const keys = Object.keys(storages).map(op.text)
  return Buffer.concat([
    magic,
    pickle(latin('M'), le(1001, 2)),
    facts,
    state,
    pickle(op.emptyList, op.mark, ...keys, op.appends),
    ...Object.values(storages).flatMap(({ count, bytes }) => [le(count, 8), Buffer.from(bytes)]),
  ])
}
