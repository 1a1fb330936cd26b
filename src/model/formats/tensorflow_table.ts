/**
 * The sorted table of LevelDB, in which TensorFlow keeps the index of a checkpoint: blocks of entries, each followed by its
 * compression (1 byte) and checksum (4); one of them lists the others; 48 bytes at the end say where that one is. In a block a
 * key shares its beginning with the key before it: varints shared, own, value length; own bytes of the key; the value. A list of
 * restart points for searches ends the block. All is read at once, in order, and checked.
 * Source: https://github.com/google/leveldb/blob/main/doc/table_format.md.
 */
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'
import { maskedCrc32c } from './crc32c.js'

const FOOTER_BYTES = 48
const MAGIC = 0xdb4775248b80fb57n
/** Compression and checksum behind a block. */
const TRAILER_BYTES = 5
/** What no index of a model comes near; a table beyond is refused before it fills the memory. */
const MOST = { bytes: 1 << 26, entries: 100_000, keyBytes: 1024 }

const EXPECTED = "the index of a TensorFlow checkpoint (LevelDB's table)"

export interface TableEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** Where the entry begins in the file. */
  readonly position: number
}

/** Whether the last bytes are those of a table, as of a checkpoint's index and of a whole checkpoint of version 1. */
export function endsAsTable(source: ByteSource): boolean {
  return source.size >= FOOTER_BYTES && magicOf(footerOf(source)) === MAGIC
}

/**
 * All entries, in ascending order of their keys.
 * @throws InputError where the file is truncated, foreign or damaged.
 */
export function readTable(source: ByteSource): TableEntry[] {
  const { path, size } = source
  const refuse = (found: string, expected = EXPECTED): never => {
    throw new InputError({ file: path, found, expected })
  }
  if (size < FOOTER_BYTES) refuse(`${size} bytes`, `${EXPECTED}, ${FOOTER_BYTES} bytes or more`)
  if (size > MOST.bytes) refuse(`${size} bytes`, `${EXPECTED} of at most ${MOST.bytes} bytes`)
  const bytes = new Uint8Array(size)
  source.read(bytes, 0)
  const end = size - FOOTER_BYTES
  const magic = magicOf(bytes.subarray(end))
  if (magic !== MAGIC)
    refuse(`${hex(magic)} in the last 8 bytes (a truncated or foreign file)`, `${hex(MAGIC)}, ${EXPECTED}`)
  const footer = new Cursor(path, bytes, end, size - 8)
  readBlock(path, bytes, handle(footer), end)
  const list = readBlock(path, bytes, handle(footer), end)
  const entries: TableEntry[] = []
  let reached = 0
  for (const { value, position } of list) {
    const cursor = new Cursor(path, bytes, value.byteOffset, value.byteOffset + value.length)
    const place = handle(cursor)
    // blocks that were listed twice could fill the memory
    if (place.offset < reached)
      refuse(`a block at byte ${place.offset}, listed at byte ${position}`, `one from byte ${reached} on`)
    reached = place.offset + place.size
    for (const entry of readBlock(path, bytes, place, end)) {
      const before = entries.at(-1)
      if (before && Buffer.compare(before.key, entry.key) >= 0)
        refuse(`a key at byte ${entry.position} that is not above the key before it`, 'ascending keys')
      if (entries.length === MOST.entries)
        refuse(`another entry at byte ${entry.position}`, `at most ${MOST.entries}`)
      entries.push(entry)
    }
  }
  return entries
}

interface Handle {
  readonly offset: number
  readonly size: number
}

function handle(cursor: Cursor): Handle {
  return { offset: cursor.varint(), size: cursor.varint() }
}

/** The entries of one block. `end` is where blocks end in the file. */
function readBlock(path: string, bytes: Uint8Array, { offset, size }: Handle, end: number): TableEntry[] {
  const refuse = (found: string, expected: string): never => {
    throw new InputError({ file: path, found, expected })
  }
  if (offset + size + TRAILER_BYTES > end)
    refuse(`a block of ${size} bytes at byte ${offset}`, `one that ends before byte ${end}`)
  const stop = offset + size
  const compression = bytes[stop]
  const stored = new DataView(bytes.buffer).getUint32(stop + 1, true)
  const computed = maskedCrc32c(bytes.subarray(offset, stop + 1))
  if (stored !== computed)
    refuse(
      `a block at byte ${offset} whose checksum is ${hex(computed)} (damaged)`,
      `${hex(stored)}, as stored at byte ${stop + 1}`,
    )
  if (compression !== 0) {
    const name = compression === 1 ? 'Snappy' : `method ${compression}`
    refuse(`a block at byte ${offset} compressed by ${name}`, 'blocks without compression')
  }
  const restarts = size < 4 ? 0 : new DataView(bytes.buffer).getUint32(stop - 4, true)
  const entriesEnd = stop - 4 * (restarts + 1)
  if (restarts === 0 || entriesEnd < offset)
    refuse(
      `a block of ${size} bytes at byte ${offset} with ${restarts} restart points`,
      'one or more within it',
    )
  const entries: TableEntry[] = []
  let key = new Uint8Array(0)
  const cursor = new Cursor(path, bytes, offset, entriesEnd)
  while (!cursor.done) {
    const position = cursor.at
    const shared = cursor.varint()
    const own = cursor.varint()
    const length = cursor.varint()
    if (shared > key.length)
      refuse(`a key at byte ${position} that shares ${shared} bytes`, `at most the ${key.length} before it`)
    if (shared + own > MOST.keyBytes)
      refuse(`a key of ${shared + own} bytes at byte ${position}`, `at most ${MOST.keyBytes}`)
    if (entries.length === MOST.entries)
      refuse(`another entry at byte ${position}`, `at most ${MOST.entries}`)
    const next = new Uint8Array(shared + own)
    next.set(key.subarray(0, shared))
    next.set(cursor.take(own), shared)
    key = next
    entries.push({ key, value: cursor.take(length), position })
  }
  return entries
}

/** Varints and slices of a range of bytes, never from beyond it. */
class Cursor {
  constructor(
    private readonly path: string,
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly end: number,
  ) {}

  get done(): boolean {
    return this.at >= this.end
  }

  /** Seven bits a byte, the lowest first; beyond 2^53 it is refused. */
  varint(): number {
    const start = this.at
    let value = 0
    for (let scale = 1; this.at < this.end; scale *= 128) {
      const byte = this.bytes[this.at++]
      value += (byte & 127) * scale
      if (!Number.isSafeInteger(value)) break
      if (byte < 128) return value
    }
    throw new InputError({
      file: this.path,
      found: `no whole number at byte ${start}`,
      expected: `a varint below 2^53 that ends before byte ${this.end}`,
    })
  }

  take(length: number): Uint8Array {
    if (length > this.end - this.at)
      throw new InputError({
        file: this.path,
        found: `${length} bytes announced at byte ${this.at}`,
        expected: `at most the ${this.end - this.at} that are left of the block`,
      })
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}

function footerOf(source: ByteSource): Uint8Array {
  const footer = new Uint8Array(FOOTER_BYTES)
  source.read(footer, source.size - FOOTER_BYTES)
  return footer
}

function magicOf(footer: Uint8Array): bigint {
  return new DataView(footer.buffer, footer.byteOffset).getBigUint64(FOOTER_BYTES - 8, true)
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`
}
