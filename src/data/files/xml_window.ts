/**
 * The bytes of a file that are still wanted, as UTF-8, under their absolute positions; and searches in them that never look at a
 * byte twice, however often they are begun anew (a hostile file would make that quadratic).
 */
import type { XmlEncoding } from './xml_encoding.js'

export class Window {
  readonly #encoding: XmlEncoding
  #bytes = Buffer.alloc(2 ** 16)
  #length = 0
  /** Position of the first byte held, and where that stands in the file. */
  #base = 0
  #source = 0

  constructor(encoding: XmlEncoding) {
    this.#encoding = encoding
  }

  get end(): number {
    return this.#base + this.#length
  }

  append(bytes: Uint8Array): void {
    this.#fit(this.#length + bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  dropBefore(position: number): void {
    const count = Math.min(position - this.#base, this.#length)
    if (count <= 0) return
    this.#source += this.#span(count)
    this.#bytes.copyWithin(0, count, this.#length)
    this.#base += count
    this.#length -= count
    if (this.#bytes.length > 2 ** 22) this.#fit(this.#length)
  }

  /** A view, good until the next change. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from - this.#base, to - this.#base)
  }

  byte(position: number): number | undefined {
    return position < this.end ? this.#bytes[position - this.#base] : undefined
  }

  indexOf(needle: Uint8Array, from: number): number {
    const at = this.#bytes.subarray(0, this.#length).indexOf(needle, Math.max(0, from - this.#base))
    return at === -1 ? -1 : at + this.#base
  }

  /** The last `byte` in [from, to), or -1. */
  lastIndexOf(byte: number, from: number, to: number): number {
    const at = this.slice(from, to).lastIndexOf(byte)
    return at === -1 ? -1 : at + from
  }

  /** The nearest position at or before this one at which a character begins. */
  characterAt(position: number): number {
    let at = position
    while (at > this.#base && at < this.end && ((this.byte(at) ?? 0) & 0xc0) === 0x80) at--
    return at
  }

  /** The byte of the file of a position. */
  sourceByte(position: number): number {
    return this.#encoding.mark + this.#source + this.#span(position - this.#base)
  }

  #span(count: number): number {
    const { width } = this.#encoding
    return width === undefined ? count : width * this.#bytes.toString('utf8', 0, count).length
  }

  #fit(length: number): void {
    const roomy =
      length <= this.#bytes.length && (length > this.#bytes.length / 4 || this.#bytes.length <= 2 ** 22)
    if (roomy) return
    const grown = Buffer.alloc(Math.max(2 ** 16, 2 * length))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

const afterName = new Set([0x09, 0x0a, 0x0d, 0x20, 0x2f, 0x3e])

/** Finds a mark, such as `<article` with the name's end behind it; remembers where there is none. */
export class Finder {
  readonly #window: Window
  readonly #mark: Buffer
  readonly #wholeName: boolean
  /** No mark begins in [from, to); one begins at `to` if `found`. */
  #from = 0
  #to = 0
  #found = false

  constructor(window: Window, mark: string) {
    this.#window = window
    this.#mark = Buffer.from(mark)
    this.#wholeName = mark.length > 1
  }

  /** The first at or after `from`, or -1: none in the bytes so far. */
  find(from: number): number {
    if (from < this.#from || from > this.#to) this.#restart(from)
    while (!this.#found) {
      const at = this.#window.indexOf(this.#mark, this.#to)
      if (at === -1) {
        this.#to = Math.max(this.#to, this.#window.end - this.#mark.length + 1)
        return -1
      }
      this.#to = at
      if (this.#wholeName) {
        const next = this.#window.byte(at + this.#mark.length)
        if (next === undefined) return -1
        if (!afterName.has(next)) {
          this.#to = at + 1
          continue
        }
      }
      this.#found = true
    }
    return this.#to
  }

  #restart(from: number): void {
    this.#from = from
    this.#to = from
    this.#found = false
  }
}
