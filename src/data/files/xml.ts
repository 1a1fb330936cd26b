/**
 * The records of an XML file, pushed in as bytes cut anywhere: the elements of some names, each as a small tree (`xml_tree.ts`), in
 * order. One record is held at a time. A record that is not well formed or is too large costs that record alone: it comes as a
 * defect with its place, and reading goes on at the next. Where records begin and end the parser decides; a search for their
 * tags only proposes, so that a comment or CDATA section may hold such tags. What stands between records is parsed
 * too and given to nobody. Nothing outside the file is ever read, and no entity that the file defines is expanded.
 */
import { isUtf8 } from 'node:buffer'
import { Between } from './xml_between.js'
import { XmlEncoding } from './xml_encoding.js'
import { problemDetail, type XmlElement, type XmlLimits, XmlProblem, XmlTree, xmlLimits } from './xml_tree.js'
import { Finder, Window } from './xml_window.js'

export * from './xml_tree.js'

export interface XmlRecord {
  readonly kind: 'element'
  readonly element: XmlElement
  /** Byte of the file at which it begins. */
  readonly byte: number
}

export interface XmlDefect {
  readonly kind: 'defect'
  /** `broken`: not well formed, or not in its encoding. `too_large`: beyond a limit. */
  readonly reason: 'broken' | 'too_large'
  /** The record that is lost; none for what stands between records. */
  readonly name?: string
  /** Byte of the file at which the defect stands; of what is too large, at which it begins. */
  readonly byte: number
  /** `found ..., expected ...` */
  readonly detail: string
}

export interface XmlOptions {
  /** Names of the elements that are records; one inside another of its own name is a defect. */
  readonly records: readonly string[]
  /** Names of elements inside records whose inside nobody needs: it is neither checked nor given, and costs next to nothing. */
  readonly skip?: readonly string[]
  readonly limits?: Partial<XmlLimits>
}

/** Bytes between two tags outside records. */
const BETWEEN = 2 ** 20
/** End tags of a record that may stand in its comments or CDATA before it counts as broken. */
const FALSE_ENDS = 8
const LESS = 0x3c
/** Of the names of records, with the brackets. */
const LONGEST_NAME = 100

interface Open {
  readonly name: string
  readonly start: number
  /** Whether the parser of what stands between has seen its end already (`<name/>`). */
  readonly closed: boolean
  tree: XmlTree
  /** Whether elements are left out; when that fails the record is parsed once more, whole. */
  skipping: boolean
  fed: number
  falseEnds: number
  /** Where reading goes on when it is broken after all. */
  resume?: number
}

export class XmlRecords {
  readonly #limits: XmlLimits
  readonly #skip: RegExp | undefined
  readonly #encoding = new XmlEncoding()
  readonly #window = new Window(this.#encoding)
  readonly #tagEnd = new Finder(this.#window, '>')
  readonly #starts: ReadonlyMap<string, Finder>
  readonly #ends: ReadonlyMap<string, Finder>
  #out: (XmlRecord | XmlDefect)[] = []
  #ended = false
  #refused = false
  /** Next byte that nothing has looked at. */
  #at = 0
  #record: Open | undefined
  /** Inside a record of this name that is lost: only its end or the next start matters. */
  #lost: string | undefined
  /** The parser of what stands between records; none after a defect there: starts are then searched for. */
  #between: Between | undefined = new Between()
  #lastTag = 0
  #lastEvent = 0

  constructor({ records, skip, limits }: XmlOptions) {
    this.#limits = { ...xmlLimits, ...limits }
    if (skip?.length) this.#skip = new RegExp(`<(${skip.join('|')})(?=[\\s>])`, 'g')
    this.#starts = new Map(records.map((name) => [name, new Finder(this.#window, `<${name}`)]))
    this.#ends = new Map(records.map((name) => [name, new Finder(this.#window, `</${name}`)]))
  }

  /** The records that ended in these bytes, which may be reused afterwards. */
  write(bytes: Uint8Array): (XmlRecord | XmlDefect)[] {
    // small pieces keep the window small whatever the caller has
    for (let at = 0; at < bytes.length; at += 2 ** 20) this.#append(bytes.subarray(at, at + 2 ** 20))
    return this.#taken()
  }

  /** What the end of the file ends: a record that breaks off comes as broken. */
  end(): (XmlRecord | XmlDefect)[] {
    this.#ended = true
    this.#append(undefined)
    const open = this.#lost === undefined ? this.#between?.open : undefined
    const found = 'found the end of the file'
    if (open !== undefined) this.#defect('broken', this.#window.end, `${found}, expected </${open}>`)
    return this.#taken()
  }

  #append(bytes: Uint8Array | undefined): void {
    this.#window.append(bytes === undefined ? this.#encoding.end() : this.#encoding.write(bytes))
    while (this.#step());
    const { refused } = this.#encoding
    if (refused !== undefined && !this.#refused) this.#defect('broken', 0, refused)
    this.#refused = refused !== undefined
    const kept = this.#between && this.#lost === undefined ? Math.min(this.#at, this.#lastTag) : this.#at
    this.#window.dropBefore(this.#record?.start ?? kept)
  }

  #taken(): (XmlRecord | XmlDefect)[] {
    const out = this.#out
    this.#out = []
    return out
  }

  /** Whether anything was got on with; otherwise more bytes are needed. */
  #step(): boolean {
    if (this.#record !== undefined) return this.#stepRecord(this.#record)
    if (this.#lost !== undefined || this.#between === undefined) return this.#stepSearch()
    return this.#stepBetween(this.#between)
  }

  /* between records */

  #stepBetween(between: Between): boolean {
    const end = this.#tagEnd.find(this.#at)
    const to = end === -1 ? this.#window.end : end + 1
    if (to - this.#lastEvent > BETWEEN) {
      const detail = `found more than ${BETWEEN} bytes, expected a tag`
      this.#stuck(between, 'too_large', this.#lastEvent, detail, this.#lastEvent + BETWEEN - LONGEST_NAME)
      return true
    }
    if (end === -1 && !(this.#ended && this.#at < to)) return false
    const bytes = this.#window.slice(this.#at, to)
    const tag = this.#window.lastIndexOf(LESS, this.#at, to)
    if (tag !== -1) this.#lastTag = tag
    const text = bytes.toString()
    const { events } = between
    try {
      if (!isUtf8(bytes)) throw new XmlProblem('broken', 0, 'bytes that are not of the encoding')
      between.write(text)
    } catch (error) {
      if (!(error instanceof XmlProblem)) throw error
      const { reason, at, message } = error
      const place = Math.max(this.#at, this.#lastTag)
      // in the start tag of a record it is the record's
      const until = at > text.lastIndexOf('<') ? to : this.#at
      this.#stuck(between, reason, place, problemDetail(text, text.length, message), until)
      return true
    }
    this.#at = to
    if (between.events > events) this.#lastEvent = to
    const { opened, closed } = between
    if (opened !== undefined && this.#starts.has(opened)) this.#begin(opened, this.#lastTag, closed)
    if (between.ended) this.#between = new Between()
    return true
  }

  /** A defect between records, unless a record starts before `until`, whose it then is. */
  #stuck(
    between: Between,
    reason: 'broken' | 'too_large',
    position: number,
    detail: string,
    until: number,
  ): void {
    const next = this.#nextStart()
    if (next !== undefined && next.start < until) {
      this.#between = between.again(next.name)
      this.#begin(next.name, next.start, false)
    } else {
      this.#defect(reason, position, detail)
      this.#between = undefined
    }
  }

  #nextStart(): { name: string; start: number } | undefined {
    let next: { name: string; start: number } | undefined
    for (const [name, finder] of this.#starts) {
      const start = finder.find(this.#at)
      if (start !== -1 && (next === undefined || start < next.start)) next = { name, start }
    }
    return next
  }

  /** The next start of a record, or the end of the one that is lost. */
  #stepSearch(): boolean {
    const next = this.#nextStart()
    const end = this.#lost === undefined ? -1 : (this.#ends.get(this.#lost)?.find(this.#at) ?? -1)
    if (end !== -1 && (next === undefined || end < next.start)) {
      const close = this.#tagEnd.find(end)
      if ((close === -1 ? this.#window.end : close) - end > BETWEEN) this.#at = end + 1
      else if (close === -1) return false
      else this.#closed(close + 1)
      return true
    }
    if (next !== undefined) {
      this.#begin(next.name, next.start, false)
      return true
    }
    // a tag may have begun
    this.#at = Math.max(this.#at, this.#window.characterAt(this.#window.end - LONGEST_NAME))
    return false
  }

  /* records */

  #begin(name: string, start: number, closed: boolean): void {
    const tree = new XmlTree(this.#limits)
    this.#lost = undefined
    this.#record = { name, start, closed, tree, skipping: this.#skip !== undefined, fed: start, falseEnds: 0 }
  }

  /** Behind the end tag of a record. */
  #closed(at: number, told = false): void {
    this.#record = undefined
    this.#lost = undefined
    this.#at = at
    this.#lastTag = at
    this.#lastEvent = at
    if (!told) this.#between?.close()
    if (this.#between?.ended) this.#between = new Between()
  }

  #stepRecord(record: Open): boolean {
    const to = this.#nextPiece(record)
    if ((to === -1 ? this.#window.end : to) - record.start > this.#limits.record) {
      const detail = `found a record of more than ${this.#limits.record} bytes, expected less`
      this.#lose(
        record,
        'too_large',
        record.start,
        detail,
        this.#window.characterAt(record.start + this.#limits.record),
      )
      return true
    }
    if (to === -1) return this.#ended && this.#breaksOff(record)
    if (!this.#feed(record, to)) return true
    const { element } = record.tree
    if (element !== undefined) {
      this.#out.push({ kind: 'element', element, byte: this.#window.sourceByte(record.start) })
      this.#closed(to, record.closed)
    } else if (this.#window.byte(this.#window.lastIndexOf(LESS, record.start, to) + 1) === 0x2f) {
      record.resume ??= to
      if (++record.falseEnds > FALSE_ENDS) this.#lose(record, 'broken', to, '', to)
    }
    return true
  }

  /** Where the next tag of the record's name ends, be it an end tag or a start tag (its own first), or -1. */
  #nextPiece(record: Open): number {
    const end = this.#ends.get(record.name)?.find(record.fed) ?? -1
    const start = this.#starts.get(record.name)?.find(record.fed) ?? -1
    const tag = end === -1 || (start !== -1 && start < end) ? start : end
    const close = tag === -1 ? -1 : this.#tagEnd.find(tag)
    return close === -1 ? -1 : close + 1
  }

  #breaksOff(record: Open): boolean {
    const end = this.#window.end
    const detail = `found the end of the file, expected </${record.name}>`
    if (record.fed === end || this.#feed(record, end)) this.#lose(record, 'broken', end, detail, end)
    return true
  }

  /** Gives the parser the record's bytes up to a position. False: it is lost. */
  #feed(record: Open, to: number): boolean {
    const bytes = this.#window.slice(record.fed, to)
    const whole = isUtf8(bytes)
    const text = whole ? bytes.toString() : validPart(bytes)
    try {
      record.tree.write(text, record.skipping ? this.#skip : undefined)
    } catch (error) {
      if (!(error instanceof XmlProblem)) throw error
      if (record.tree.skipped > 0) return this.#feedAgain(record, to)
      this.#failed(record, to, error)
      return false
    }
    if (!whole) {
      const position = record.fed + Buffer.byteLength(text)
      const found = this.#window.byte(position)?.toString(16).toUpperCase().padStart(2, '0')
      this.#lose(record, 'broken', position, `found the byte ${found}, expected UTF-8`, position + 1)
      return false
    }
    record.fed = to
    return true
  }

  /** With nothing left out: what was left out may have held what made the rest look broken. */
  #feedAgain(record: Open, to: number): boolean {
    record.tree = new XmlTree(this.#limits)
    record.skipping = false
    record.fed = record.start
    return this.#feed(record, to)
  }

  #failed(record: Open, to: number, { reason, at, message }: XmlProblem): void {
    const text = this.#window.slice(record.start, to).toString()
    const position = record.start + Buffer.byteLength(text.slice(0, at))
    const tag = this.#window.lastIndexOf(LESS, record.start, position)
    this.#lose(record, reason, position, problemDetail(text, at, message), Math.max(tag, record.start + 1))
  }

  /** Drops a record; reading goes on behind its first end tag, or looks for a tag from `from` on. */
  #lose(record: Open, reason: 'broken' | 'too_large', position: number, detail: string, from: number): void {
    const { name, resume } = record
    if (resume !== undefined) {
      const unended = `found </${name}> in a comment, CDATA section or entity that does not end, expected its end`
      this.#defect('broken', resume, unended, name)
      this.#closed(resume, record.closed)
      return
    }
    this.#defect(reason, position, detail, name)
    this.#record = undefined
    this.#lost = record.name
    this.#at = from
  }

  #defect(reason: 'broken' | 'too_large', position: number, detail: string, name?: string): void {
    const byte = this.#window.sourceByte(position)
    this.#out.push({ kind: 'defect', reason, byte, detail, ...(name !== undefined && { name }) })
  }
}

/** The text before the first byte that is not UTF-8. */
function validPart(bytes: Uint8Array): string {
  let valid = 0
  let invalid = bytes.length
  // a prefix is valid where it is up to a character that is not complete
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1
    if (isUtf8(whole(bytes.subarray(0, middle)))) valid = middle
    else invalid = middle
  }
  return Buffer.from(whole(bytes.subarray(0, valid))).toString()
}

/** Without the character that its end cuts. */
function whole(bytes: Uint8Array): Uint8Array {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]
    if (byte < 0x80) return bytes
    if (byte < 0xc0) continue
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes
  }
  return bytes
}
