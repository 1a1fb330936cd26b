/** Bytes in pieces of any size to lines of text: LF and CRLF, a byte order mark at the beginning, UTF-8 checked line by line. */
import { LARGEST_DOCUMENT } from './format.js'

export interface Line {
  /** Without its end; undefined where the bytes are no UTF-8 or more than a document may have. */
  readonly text?: string
  /** What is wrong with it. */
  readonly found?: string
  readonly expected?: string
  /** From 1. */
  readonly number: number
  /** Where it begins. */
  readonly byte: number
}

const NOT_UTF8 = { found: 'bytes that are not UTF-8', expected: 'UTF-8 text' }
const TOO_LONG = {
  found: `a line of more than ${LARGEST_DOCUMENT >> 20} MiB`,
  expected: 'lines that are one document at most',
}

export class LineSplitter {
  private rest: Uint8Array[] = []
  private held = 0
  private tooLong = false
  private number = 0
  private byte = 0
  private start = 0

  /** The lines that ended in these bytes. */
  write(bytes: Uint8Array): Line[] {
    const lines: Line[] = []
    let from = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      this.hold(bytes.subarray(from, end))
      this.byte += end - from + 1
      lines.push(this.take())
      from = end + 1
    }
    this.hold(bytes.slice(from))
    this.byte += bytes.length - from
    return lines
  }

  /** The last line, where it has no end. */
  end(): Line[] {
    return this.held > 0 || this.tooLong ? [this.take()] : []
  }

  private hold(part: Uint8Array): void {
    if (part.length === 0 || this.tooLong) return
    if (this.held + part.length > LARGEST_DOCUMENT) {
      this.tooLong = true
      this.rest = []
      this.held = 0
      return
    }
    this.rest.push(part)
    this.held += part.length
  }

  private take(): Line {
    const parts = this.rest
    const place = { number: ++this.number, byte: this.start }
    const tooLong = this.tooLong
    this.rest = []
    this.held = 0
    this.tooLong = false
    this.start = this.byte
    if (tooLong) return { ...place, ...TOO_LONG }
    try {
      const all = parts.length === 1 ? parts[0] : Buffer.concat(parts)
      const text = (place.number === 1 ? FIRST : LATER).decode(all)
      return { ...place, text: text.endsWith('\r') ? text.slice(0, -1) : text }
    } catch {
      return { ...place, ...NOT_UTF8 }
    }
  }
}

// a byte order mark is one at the beginning only
const FIRST = new TextDecoder('utf-8', { fatal: true })
const LATER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
