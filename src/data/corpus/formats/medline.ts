/**
 * MEDLINE text, as PubMed saves searches (.nbib, .txt): fields of a four-letter tag, lines that continue them, a blank line or the
 * next PMID ends a record.
 *
 *   PMID- 12345678
 *   TI  - A title that is long enough to
 *         go on in a second line.
 *   AB  - BACKGROUND: An abstract. METHODS: Its parts become paragraphs.
 *   PT  - Retracted Publication
 */
import { describeFault, LineSplitter } from '../../files/lines.js'
import { quote } from '../../files/text.js'
import type { CorpusFormat, CorpusParser, CorpusRecord, ParserOptions } from '../format.js'

/** Largest record in bytes. */
const LARGEST_RECORD = 4 << 20

export const medline: CorpusFormat = {
  name: 'medline',
  summary: 'MEDLINE text as PubMed saves it: PMID, TI, AB and PT fields',
  recognises: (_name, head) => /^(\xef\xbb\xbf)?\s*PMID- ?\d/.test(Buffer.from(head).toString('latin1')),
  parser: (options) => new MedlineParser(options),
}

/** Tags that are kept, with what continues them; others are passed over. */
const KEPT = new Set(['PMID', 'TI', 'AB', 'PT', 'RIN', 'ROF'])

class MedlineParser implements CorpusParser {
  private records: CorpusRecord[] = []
  /** Fields of the record at hand, in order. */
  private fields: { tag: string; text: string[] }[] = []
  private start = -1
  private size = 0
  private fault?: { reason: 'broken' | 'too_large'; byte: number; detail: string }
  private continues = false
  private readonly lines: LineSplitter

  constructor(private readonly options: ParserOptions) {
    const take = (line: string | undefined, byte: number, number: number, fault?: 'encoding' | 'length') => {
      if (line === undefined) {
        const { found, expected } = describeFault(fault ?? 'encoding', LARGEST_RECORD)
        const detail = `found ${found} in line ${number}, expected ${expected}`
        this.open(byte)
        this.fault ??= { reason: fault === 'length' ? 'too_large' : 'broken', byte, detail }
      } else this.add(line, byte, number)
    }
    this.lines = new LineSplitter(take, LARGEST_RECORD)
  }

  write(bytes: Uint8Array): CorpusRecord[] {
    this.lines.write(bytes)
    return this.taken()
  }

  end(): CorpusRecord[] {
    this.lines.end()
    this.finish()
    return this.taken()
  }

  private open(byte: number): void {
    if (this.start < 0) this.start = byte
  }

  private add(line: string, byte: number, number: number): void {
    if (line.trim() === '') {
      this.finish()
      return
    }
    const field = /^([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)$/.exec(line)
    if (field?.[1] === 'PMID') this.finish()
    this.open(byte)
    this.size += line.length
    if (this.size > LARGEST_RECORD) {
      const most = `${LARGEST_RECORD >> 20} MiB`
      const detail = `found a record longer than ${most}, expected at most ${most}`
      this.fault ??= { reason: 'too_large', byte: this.start, detail }
      this.fields = []
    }
    if (this.fault !== undefined) return
    if (field !== null) {
      this.continues = KEPT.has(field[1])
      if (this.continues) this.fields.push({ tag: field[1], text: [field[2].trim()] })
    } else if (/^\s/.test(line)) {
      if (this.continues) this.fields[this.fields.length - 1].text.push(line.trim())
    } else {
      const detail = `found ${quote(line)} in line ${number}, expected a tag such as "TI  - " or a line that goes on`
      this.fault = { reason: 'broken', byte, detail }
    }
  }

  private finish(): void {
    if (this.start < 0) return
    this.records.push(this.record())
    this.fields = []
    this.start = -1
    this.size = 0
    this.fault = undefined
    this.continues = false
  }

  private record(): CorpusRecord {
    const id = this.values('PMID')[0]
    const told = id === undefined ? {} : { id }
    const { fault, start: byte } = this
    if (fault !== undefined) return { kind: 'dropped', ...told, ...fault }
    if (id === undefined || !/^\d{1,15}$/.test(id)) {
      const found = id === undefined ? 'a record without PMID' : `PMID ${quote(id)}`
      return {
        kind: 'dropped',
        reason: 'broken',
        byte,
        detail: `found ${found}, expected "PMID- " and a number`,
      }
    }
    if (this.isRetracted()) return { kind: 'dropped', reason: 'retracted', byte, id }
    const abstract = this.values('AB').flatMap((text) => sections(text, this.options.labels))
    if (abstract.length === 0) return { kind: 'dropped', reason: 'no_text', byte, id }
    return { kind: 'document', id, paragraphs: [...this.values('TI'), ...abstract] }
  }

  /** By its publication type, or by a later notice; and the notice itself. */
  private isRetracted(): boolean {
    const types = this.values('PT')
    if (types.some((type) => /^retract(ed publication|ion of publication)$/i.test(type))) return true
    return this.fields.some(({ tag }) => tag === 'RIN' || tag === 'ROF')
  }

  private values(tag: string): string[] {
    return this.fields.filter((field) => field.tag === tag).flatMap(({ text }) => text.join(' ').trim() || [])
  }

  private taken(): CorpusRecord[] {
    const records = this.records
    this.records = []
    return records
  }
}

/** The parts of a structured abstract, which MEDLINE text writes as one: a label of capitals at a sentence's begin. */
function sections(abstract: string, labels: boolean): string[] {
  const label = /(?<=^|[.?!)\]] )[A-Z][A-Z ,/&()-]{2,60}: /g
  const parts: string[] = []
  let from = 0
  const add = (to: number) => {
    const part = abstract.slice(from, to).trim()
    if (part !== '') parts.push(part)
  }
  for (const match of abstract.matchAll(label)) {
    add(match.index)
    from = labels ? match.index : match.index + match[0].length
  }
  add(abstract.length)
  return parts
}
