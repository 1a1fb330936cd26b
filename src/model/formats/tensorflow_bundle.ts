/**
 * TensorFlow's checkpoints of version 2, "bundles": a table (PREFIX.index) of variables by name, each with type, shape, shard,
 * offset, size and checksum, and shards of raw values (PREFIX.data-00000-of-00001), row-major. Ranges are checked against the
 * sizes of the shards before anything is handed out; the values of a variable are fetched, and held against their checksum, when
 * they are asked for. Sources: tensorflow/core/protobuf/tensor_bundle.proto, framework/{types,tensor_shape,versions}.proto.
 */
import protobuf from 'protobufjs'
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'
import { maskedCrc32c } from './crc32c.js'
import { readTable, type TableEntry } from './tensorflow_table.js'
import { ELEMENT_BYTES, type ElementType, type TensorSource } from './weights_file.js'

const SCHEMA = `
syntax = "proto3";
message Header {
  message Version { int32 producer = 1; int32 min_consumer = 2; }
  int32 num_shards = 1;
  int32 endianness = 2;
  Version version = 3;
}
message Entry {
  message Shape { message Dim { int64 size = 1; } repeated Dim dim = 2; bool unknown_rank = 3; }
  message Slice {}
  int32 dtype = 1;
  Shape shape = 2;
  int32 shard_id = 3;
  int64 offset = 4;
  int64 size = 5;
  fixed32 crc32c = 6;
  repeated Slice slices = 7;
}`

type Message = 'Header' | 'Entry'

/** Made when the first checkpoint is opened. */
let types: Readonly<Record<Message, protobuf.Type>> | undefined

function messageType(name: Message): protobuf.Type {
  if (!types) {
    const { root } = protobuf.parse(SCHEMA)
    types = { Header: root.lookupType('Header'), Entry: root.lookupType('Entry') }
  }
  return types[name]
}

interface Header {
  numShards: number
  endianness: number
  version?: { minConsumer: number }
}

interface Entry {
  dtype: number
  shape?: { dim: { size: number }[]; unknownRank: boolean }
  shardId: number
  offset: number
  size: number
  crc32c: number
  slices: unknown[]
}

/** TensorFlow's numbers of the types that are read. */
const TYPES: Readonly<Record<number, ElementType>> = {
  1: 'F32',
  2: 'F64',
  3: 'I32',
  4: 'U8',
  5: 'I16',
  6: 'I8',
  9: 'I64',
  10: 'BOOL',
  14: 'BF16',
  17: 'U16',
  19: 'F16',
  22: 'U32',
  23: 'U64',
}

/** What is asked of a reader of this version of the format. */
const VERSION = 1
const MOST = { rank: 8, shards: 99_999, descriptionBytes: 1 << 16 }

export interface Bundle {
  /** Variables in the order of their values in the shards, under the names of the file. */
  readonly variables: readonly TensorSource[]
  /** Variables of other types: text, such as the object graph that TensorFlow 2 stores, complex and quantised numbers. */
  readonly unread: readonly string[]
}

/**
 * Reads and checks the index. `shard` opens one of the files of values by its place and their number.
 * @throws InputError where a file is missing, truncated, foreign or damaged, or the index contradicts it.
 */
export function readBundle(index: ByteSource, shard: (place: number, count: number) => ByteSource): Bundle {
  const file = index.path
  const decode = <T>(type: Message, { value, position }: TableEntry): T => {
    if (value.length > MOST.descriptionBytes)
      throw new InputError({
        file,
        found: `a description of ${value.length} bytes at byte ${position}`,
        expected: `at most ${MOST.descriptionBytes}`,
      })
    const message = messageType(type)
    try {
      return message.toObject(message.decode(value), { longs: Number, defaults: true }) as T
    } catch (error) {
      throw new InputError({
        file,
        found: `bytes at ${position} that are no protocol buffer (${(error as Error).message})`,
        expected: 'the description of a variable',
      })
    }
  }
  const [first, ...rest] = readTable(index)
  if (!first || first.key.length > 0)
    throw new InputError({
      file,
      found: 'a table without a header',
      expected: 'the index of a TensorFlow checkpoint (a header under the empty name)',
    })
  const shards = checkHeader(file, decode<Header>('Header', first))
  const opened = new Map<number, ByteSource>()
  const open = (place: number): ByteSource => {
    const known = opened.get(place) ?? shard(place, shards)
    opened.set(place, known)
    return known
  }
  const found: (TensorSource & { at: readonly [shard: number, offset: number] })[] = []
  const unread: string[] = []
  for (const entry of rest) {
    // the values of a slice, under a name that begins with a zero; the variable itself follows and is refused
    if (entry.key[0] === 0) continue
    const name = nameOf(file, entry)
    const described = decode<Entry>('Entry', entry)
    const dtype = TYPES[described.dtype]
    const shape = checkEntry(file, name, described, shards)
    if (dtype === undefined) unread.push(name)
    else
      found.push({
        ...variable(name, dtype, shape, described, open(described.shardId)),
        at: [described.shardId, described.offset],
      })
  }
  found.sort((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1])
  return { variables: found, unread }
}

/** The number of shards. */
function checkHeader(file: string, { numShards, endianness, version }: Header): number {
  const want = (ok: boolean, found: string, expected: string) => {
    if (!ok) throw new InputError({ file, found, expected })
  }
  want(
    endianness === 0,
    endianness === 1 ? 'big-endian values' : `byte order ${endianness}`,
    'little-endian values',
  )
  want(numShards >= 1 && numShards <= MOST.shards, `${numShards} shards`, `1 to ${MOST.shards}`)
  const consumer = version?.minConsumer ?? 0
  want(consumer <= VERSION, `a checkpoint for readers of version ${consumer} and later`, `version ${VERSION}`)
  return numShards
}

function nameOf(file: string, { key, position }: TableEntry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(key)
  } catch {
    throw new InputError({
      file,
      found: `a name at byte ${position} that is no UTF-8`,
      expected: 'the name of a variable',
    })
  }
}

/** The shape of a variable, when it and its place can be. */
function checkEntry(file: string, name: string, entry: Entry, shards: number): number[] {
  const refuse = (found: string, expected: string): never => {
    throw new InputError({ file, found: `variable '${name}' ${found}`, expected })
  }
  const shape = entry.shape?.dim.map(({ size }) => size) ?? []
  if (entry.slices.length > 0)
    refuse(
      `[${shape}] in ${entry.slices.length} slices (a partitioned variable)`,
      'whole variables (load the checkpoint without a partitioner and save it again)',
    )
  if (entry.shape?.unknownRank || shape.length > MOST.rank)
    refuse(`of ${entry.shape?.unknownRank ? 'unknown' : shape.length} dimensions`, `at most ${MOST.rank}`)
  const whole = [...shape, entry.offset, entry.size]
  if (!whole.every((n) => Number.isSafeInteger(n) && n >= 0))
    refuse(`[${shape}] with ${entry.size} bytes at byte ${entry.offset}`, 'whole numbers from 0')
  if (entry.shardId < 0 || entry.shardId >= shards)
    refuse(`in shard ${entry.shardId}`, shards === 1 ? 'shard 0' : `shards 0 to ${shards - 1}`)
  return shape
}

function variable(
  name: string,
  dtype: ElementType,
  shape: readonly number[],
  { offset, size, crc32c }: Entry,
  source: ByteSource,
): TensorSource {
  const what = `variable '${name}', ${dtype} [${shape}]`
  const bytes = shape.reduce((total, n) => total * n, ELEMENT_BYTES[dtype])
  const refuse = (found: string, expected: string): never => {
    throw new InputError({ file: source.path, found: `${what}, ${found}`, expected })
  }
  if (size !== bytes) refuse(`with ${size} bytes at byte ${offset}`, `${bytes} bytes for that shape`)
  if (offset + size > source.size)
    refuse(
      `at bytes ${offset} to ${offset + size} of a file of ${source.size} (truncated, or of another checkpoint)`,
      `a file of ${offset + size} bytes or more`,
    )
  return {
    path: source.path,
    name,
    dtype,
    shape,
    read: (target) => {
      source.read(target, offset)
      const computed = maskedCrc32c(target)
      if (computed !== crc32c)
        refuse(
          `at byte ${offset} with checksum 0x${computed.toString(16)} (damaged)`,
          `0x${crc32c.toString(16)}, as the index says`,
        )
    },
  }
}
