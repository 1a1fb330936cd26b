/**
 * Text by lines, in memory that does not grow with the file: `LineSplitter` takes bytes in pieces of any size, `readLines` a file.
 * Lines end with LF or CRLF; a byte order mark in front is no part of the first one. A line that is not UTF-8 or longer than
 * is allowed is named by its number and first byte.
 */
import { isUtf8 } from 'node:buffer'
import { closeSync, openSync, readSync } from 'node:fs'
import { InputError, systemReason, UserError } from '../../error.js'

/** What is wrong with a line that has no text: bytes that are not UTF-8, or too many of them. */
export type LineFault = 'encoding' | 'length'

/** A line; `text` is undefined exactly where there is a fault. `byte` is where it begins, `line` counts from 1. */
export type TakeLine = (text: string | undefined, byte: number, line: number, fault?: LineFault) => void

/** Longest line that is read, in bytes. */
export const LONGEST_LINE = 64 << 20

const CHUNK = 1 << 20
const MARK = Buffer.from('\ufeff')

export class LineSplitter {
  private held = Buffer.alloc(0)
  private heldLength = 0
  /** Within a line that is too long, of which nothing is kept. */
  private skipping = false
  private line = 1
  private lineStart = 0
  private at = 0

  constructor(
    private readonly take: TakeLine,
    private readonly longest = LONGEST_LINE,
  ) {}

  write(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    let from = 0
    for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
      this.finish(chunk.subarray(from, to))
      from = to + 1
      this.line++
      this.lineStart = this.at + from
    }
    if (from < chunk.length) this.hold(chunk.subarray(from))
    this.at += chunk.length
  }

  /** A file that ends without a line end has a last line all the same. */
  end(): void {
    if (this.heldLength > 0 || this.skipping) this.finish(Buffer.alloc(0))
  }

  private hold(piece: Buffer): void {
    const length = this.heldLength + piece.length
    if (this.skipping || length > this.longest) {
      this.skipping = true
      this.held = Buffer.alloc(0)
      this.heldLength = 0
      return
    }
    if (length > this.held.length) {
      const larger = Buffer.alloc(Math.min(this.longest, Math.max(length, 2 * this.held.length, 4096)))
      this.held.copy(larger, 0, 0, this.heldLength)
      this.held = larger
    }
    piece.copy(this.held, this.heldLength)
    this.heldLength = length
  }

  private finish(piece: Buffer): void {
    let bytes = piece
    if (this.skipping || this.heldLength > 0) {
      this.hold(piece)
      bytes = this.held.subarray(0, this.heldLength)
    }
    const tooLong = this.skipping || bytes.length > this.longest
    this.heldLength = 0
    this.skipping = false
    if (tooLong) this.take(undefined, this.lineStart, this.line, 'length')
    else if (!isUtf8(bytes)) this.take(undefined, this.lineStart, this.line, 'encoding')
    else {
      const from = this.lineStart === 0 && MARK.equals(bytes.subarray(0, MARK.length)) ? MARK.length : 0
      const to = bytes[bytes.length - 1] === 13 ? bytes.length - 1 : bytes.length
      this.take(bytes.toString('utf8', from, Math.max(from, to)), this.lineStart, this.line)
    }
    // a buffer that one long line asked for does not stay
    if (this.held.length > CHUNK) this.held = Buffer.alloc(0)
  }
}

/** The lines of a file; a fault is an InputError with its line. */
export function* readLines(file: string): Generator<string> {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${systemReason(error) ?? (error as Error).message})`)
  }
  try {
    const lines: string[] = []
    const splitter = new LineSplitter((text, _byte, line, fault) => {
      if (text === undefined) throw lineError(file, line, fault as LineFault)
      lines.push(text)
    })
    const chunk = Buffer.alloc(CHUNK)
    for (;;) {
      const length = readSync(descriptor, chunk, 0, CHUNK, null)
      if (length === 0) splitter.end()
      else splitter.write(chunk.subarray(0, length))
      yield* lines
      lines.length = 0
      if (length === 0) return
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Both halves of a complaint about a line. */
export function describeFault(fault: LineFault, longest = LONGEST_LINE): { found: string; expected: string } {
  return fault === 'encoding'
    ? { found: 'bytes that are not UTF-8', expected: 'UTF-8 text' }
    : {
        found: `a line longer than ${longest >> 20} MiB`,
        expected: `lines of at most ${longest >> 20} MiB`,
      }
}

function lineError(file: string, line: number, fault: LineFault): InputError {
  return new InputError({ file, line, ...describeFault(fault) })
}
