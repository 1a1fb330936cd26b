/**
 * The documents in a BioC JSON file, found without holding more than one: elements of the array `documents` (or `PubTator3`) of an
 * object, elements of an array, or objects one behind the other. It knows strings, brackets and nesting and nothing else; what it
 * cuts out goes to JSON.parse. Input comes in bytes, in which all that matters is ASCII.
 */
import { LARGEST_DOCUMENT } from './format.js'

export type Piece =
  /** One element, or an object of its own. */
  | { readonly kind: 'element'; readonly bytes: Uint8Array; readonly byte: number }
  /** What stands in front of the array's elements, made whole: `{..., "documents": []}`. */
  | { readonly kind: 'around'; readonly text: string }
  /** An element that is too large: left out. */
  | { readonly kind: 'large'; readonly byte: number }
  /** Nothing more can be made of the file. */
  | { readonly kind: 'broken'; readonly byte: number; readonly found: string }

const [QUOTE, ESCAPE, COMMA] = [0x22, 0x5c, 0x2c]
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d]
/** Deeper is no BioC. */
const DEEPEST = 64
/** The key of the documents, at the end of what is in front of them. */
const LIST_KEY = /[{,\s]"(documents|PubTator3)"\s*:\s*$/
const KEY_BYTES = 64

/** Between objects, among the elements of a list, inside of an element, behind the list of an object. */
type Mode = 'outside' | 'list' | 'element' | 'rest'

export class JsonElements {
  private mode: Mode = 'outside'
  private readonly nesting: number[] = []
  /** Brackets around the element. */
  private around = 0
  private inString = false
  private escaped = false
  private dead = false
  private pieces: Piece[] = []

  /** The element so far. */
  private parts: Uint8Array[] = []
  private held = 0
  private large = false
  /** Where in the file it begins. */
  private start = 0
  /** Where in the chunk what is not held yet begins. */
  private from = 0
  /** Of the chunk, in the file. */
  private byte = 0

  write(chunk: Uint8Array): Piece[] {
    this.from = 0
    for (let i = 0; i < chunk.length && !this.dead; i++) {
      const c = chunk[i]
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (c === ESCAPE) this.escaped = true
        else if (c === QUOTE) this.inString = false
      } else if (c === OPEN || c === OPEN_LIST) this.open(chunk, i)
      else if (c === CLOSE || c === CLOSE_LIST) this.close(chunk, i)
      else if (this.mode === 'element' || this.mode === 'rest') this.inString = c === QUOTE
      else if (!this.isBetween(c, i)) this.fail(i, 'what is no JSON object')
    }
    if (this.mode === 'element' && !this.dead) this.hold(chunk.slice(this.from))
    this.byte += chunk.length
    return this.take()
  }

  end(): Piece[] {
    if (this.mode !== 'outside' && !this.dead) {
      if (this.mode === 'element') this.byte = this.start
      this.fail(0, 'the end of the file inside of an object')
    }
    return this.take()
  }

  private open(chunk: Uint8Array, i: number): void {
    const c = chunk[i]
    const depth = this.nesting.length
    if (depth === DEEPEST) {
      this.fail(i, `brackets ${DEEPEST} deep`)
      return
    }
    this.nesting.push(c)
    if (this.mode === 'outside' && c === OPEN_LIST) this.mode = 'list'
    else if (this.mode === 'list' && c === OPEN_LIST) this.fail(i, 'a list where an object was expected')
    else if (this.mode === 'outside' || this.mode === 'list') {
      this.mode = 'element'
      this.around = depth
      this.start = this.byte + i
      this.from = i
    } else if (this.mode === 'element' && this.around === 0 && depth === 1 && c === OPEN_LIST) {
      this.hold(chunk.slice(this.from, i))
      this.from = i
      if (LIST_KEY.test(this.tail())) {
        this.pieces.push({ kind: 'around', text: this.large ? '{}' : `${this.text()}[]}` })
        this.drop()
        this.mode = 'list'
      }
    }
  }

  private close(chunk: Uint8Array, i: number): void {
    const c = chunk[i]
    if (this.nesting.pop() !== (c === CLOSE ? OPEN : OPEN_LIST)) {
      this.fail(i, `a ${String.fromCharCode(c)} that closes nothing`)
      return
    }
    const depth = this.nesting.length
    if (this.mode === 'element') {
      if (depth > this.around) return
      this.hold(chunk.slice(this.from, i + 1))
      const byte = this.start
      this.pieces.push(this.large ? { kind: 'large', byte } : { kind: 'element', bytes: this.whole(), byte })
      this.drop()
      this.mode = depth === 0 ? 'outside' : 'list'
    } else if (depth === 0) this.mode = 'outside'
    else if (this.mode === 'list') this.mode = 'rest'
  }

  /** White space, commas, and a byte order mark. */
  private isBetween(c: number, i: number): boolean {
    if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09 || c === COMMA) return true
    return this.byte + i < 3 && (c === 0xef || c === 0xbb || c === 0xbf)
  }

  private fail(i: number, found: string): void {
    this.dead = true
    this.drop()
    this.pieces.push({ kind: 'broken', byte: this.byte + i, found })
  }

  private take(): Piece[] {
    const { pieces } = this
    this.pieces = []
    return pieces
  }

  private hold(part: Uint8Array): void {
    if (this.large || this.held + part.length > LARGEST_DOCUMENT) {
      this.drop()
      this.large = true
    } else if (part.length > 0) {
      this.parts.push(part)
      this.held += part.length
    }
  }

  private drop(): void {
    this.parts = []
    this.held = 0
    this.large = false
  }

  private whole(): Uint8Array {
    return this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts)
  }

  private text(): string {
    return Buffer.concat(this.parts).toString('utf8')
  }

  /** The last bytes of what is held. */
  private tail(): string {
    let tail = ''
    for (let i = this.parts.length - 1; i >= 0 && tail.length < KEY_BYTES; i--) {
      const part = this.parts[i]
      tail = Buffer.from(part.subarray(Math.max(0, part.length - KEY_BYTES))).toString('latin1') + tail
    }
    return tail
  }
}
