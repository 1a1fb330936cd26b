/**
 * The bytes of a pickle, one after another from a file of which the pickle may be only a part. Read ahead in blocks; a length
 * in the file is checked against the file's end before anything is made of it.
 */
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'

const BLOCK = 1 << 16
/** A pickle that describes tensors has some hundred bytes for each. */
const LIMIT = 1 << 26
const LONGEST_LINE = 1 << 12

export class PickleBytes {
  readonly path: string
  private block = new Uint8Array(0)
  /** Where the block begins. */
  private start = 0

  constructor(
    private readonly source: ByteSource,
    /** Of the next byte. */
    public position = 0,
    private readonly end = Math.min(source.size, position + LIMIT),
  ) {
    this.path = source.path
  }

  byte(): number {
    return this.need(1)[this.position++ - this.start]
  }

  /** The next `count` bytes, in memory of their own. */
  take(count: number): Uint8Array {
    if (count > this.end - this.position) return this.short(count)
    if (count <= BLOCK) {
      const from = this.need(count)
      const at = this.position - this.start
      this.position += count
      return from.slice(at, at + count)
    }
    const bytes = new Uint8Array(count)
    this.source.read(bytes, this.position)
    this.position += count
    return bytes
  }

  /** A little-endian number of 2, 4 or 8 bytes; one past 2^53 is rounded, which is past every end. */
  unsigned(length: 2 | 4 | 8): number {
    const bytes = this.take(length)
    let value = 0
    for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[i]
    return value
  }

  /** A big-endian float of 8 bytes. */
  double(): number {
    return new DataView(this.take(8).buffer).getFloat64(0)
  }

  /** Up to a line feed, which is left out; as Latin-1. */
  line(): string {
    let text = ''
    for (;;) {
      const byte = this.byte()
      if (byte === 0x0a) return text
      text += String.fromCharCode(byte)
      if (text.length > LONGEST_LINE)
        throw new InputError({
          file: this.path,
          found: `a line of more than ${LONGEST_LINE} bytes before byte ${this.position}`,
          expected: 'a pickle',
        })
    }
  }

  /** The block with the next `count` bytes in it, `count` at most BLOCK. */
  private need(count: number): Uint8Array {
    const { start, block, position } = this
    if (position + count <= start + block.length) return block
    if (count > this.end - position) return this.short(count)
    this.block = new Uint8Array(Math.min(BLOCK, this.end - position))
    this.start = position
    this.source.read(this.block, position)
    return this.block
  }

  private short(count: number): never {
    const left = this.end - this.position
    const size = Math.min(this.source.size, this.end)
    throw new InputError({
      file: this.path,
      found: `${left} more bytes at byte ${this.position} of ${size}`,
      expected: `${count} (a pickle that is truncated or no pickle)`,
    })
  }
}
