/**
 * The container of every shard: a 64-byte header and a payload, little endian.
 *   0 magic [8]  8 version  12 bytes of an id (2 or 4)  16 three counts  28 payload bytes  32 CRC-32 of the payload
 *   40 first 16 bytes of the tokenizer's digest  56 zero
 * A reader refuses a foreign, truncated or damaged file and says which byte is wrong.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { InputError, UserError } from '../../error.js'
import { writeSynced } from '../../files.js'

export const HEADER_BYTES = 64
const VERSION = 1

export type Magic = 'BALBDOCS' | 'BALBINST'

export interface ShardHeader {
  idBytes: 2 | 4
  counts: [number, number, number]
  payloadBytes: number
  checksum: number
  /** 32 hexadecimal digits. */
  digest: string
}

/** Bytes of an id in a vocabulary of V pieces. */
export function idBytesFor(size: number): 2 | 4 {
  return size <= 65536 ? 2 : 4
}

export function writeShard(
  path: string,
  magic: Magic,
  digest: string,
  idBytes: 2 | 4,
  counts: [number, number, number],
  parts: Uint8Array[],
): void {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(magic, 0, 'latin1')
  header.writeUInt32LE(VERSION, 8)
  header.writeUInt32LE(idBytes, 12)
  counts.forEach((count, i) => {
    header.writeUInt32LE(count, 16 + 4 * i)
  })
  header.writeUInt32LE(
    parts.reduce((sum, part) => sum + part.length, 0),
    28,
  )
  header.writeUInt32LE(
    parts.reduce((sum, part) => crc32(part, sum), 0),
    32,
  )
  header.write(digest.slice(0, 32), 40, 'hex')
  writeSynced(path, header, ...parts)
}

function parseHeader(path: string, bytes: Buffer, magic: Magic, digest: string): ShardHeader {
  const expected = `a ${magic === 'BALBDOCS' ? 'document' : 'instance'} shard`
  if (bytes.length < HEADER_BYTES) {
    throw new InputError({ file: path, found: `the end of the file at byte ${bytes.length}`, expected })
  }
  const found = bytes.toString('latin1', 0, 8)
  if (found !== magic) {
    throw new InputError({ file: path, found: `${JSON.stringify(found)} at byte 0`, expected })
  }
  const version = bytes.readUInt32LE(8)
  if (version !== VERSION) {
    throw new InputError({
      file: path,
      found: `version ${version} at byte 8`,
      expected: `version ${VERSION}`,
    })
  }
  const idBytes = bytes.readUInt32LE(12)
  if (idBytes !== 2 && idBytes !== 4) {
    throw new InputError({ file: path, found: `ids of ${idBytes} bytes at byte 12`, expected: '2 or 4' })
  }
  const made = bytes.toString('hex', 40, 56)
  if (made !== digest.slice(0, 32)) {
    throw new InputError({
      file: path,
      found: `a shard made with tokenizer ${made} at byte 40`,
      expected: `tokenizer ${digest.slice(0, 32)}`,
    })
  }
  return {
    idBytes,
    counts: [bytes.readUInt32LE(16), bytes.readUInt32LE(20), bytes.readUInt32LE(24)],
    payloadBytes: bytes.readUInt32LE(28),
    checksum: bytes.readUInt32LE(32),
    digest: made,
  }
}

/** Reads the header alone. */
export function readHeader(path: string, magic: Magic, digest: string): ShardHeader {
  const bytes = Buffer.alloc(HEADER_BYTES)
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${(error as Error).message})`)
  }
  try {
    const length = readSync(file, bytes, 0, HEADER_BYTES, 0)
    return parseHeader(path, bytes.subarray(0, length), magic, digest)
  } finally {
    closeSync(file)
  }
}

/** Reads and checks a whole shard. The payload starts at a multiple of 8 bytes of its own buffer. */
export function readShard(
  path: string,
  magic: Magic,
  digest: string,
): { header: ShardHeader; payload: Uint8Array } {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${(error as Error).message})`)
  }
  const header = parseHeader(path, bytes, magic, digest)
  const end = HEADER_BYTES + header.payloadBytes
  if (bytes.length !== end) {
    throw new InputError({
      file: path,
      found: `the end of the file at byte ${bytes.length}`,
      expected: `${end} bytes`,
    })
  }
  const payload = new Uint8Array(header.payloadBytes)
  payload.set(bytes.subarray(HEADER_BYTES))
  const checksum = crc32(payload)
  if (checksum !== header.checksum) {
    throw new InputError({
      file: path,
      found: `checksum ${checksum.toString(16)} of bytes ${HEADER_BYTES} to ${end}`,
      expected: `${header.checksum.toString(16)} (byte 32)`,
    })
  }
  return { header, payload }
}

/** An error about a record that contradicts the header. */
export function brokenRecord(path: string, byte: number, found: string, expected: string): InputError {
  return new InputError({ file: path, found: `${found} at byte ${HEADER_BYTES + byte}`, expected })
}
