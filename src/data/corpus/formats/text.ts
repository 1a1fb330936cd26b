/**
 * Plain text: a blank line between documents, every other line a paragraph. UTF-8, LF or CRLF. The format of last resort:
 * whatever looks like text and is named like nothing else.
 */
import { describeFault, LineSplitter } from '../../files/lines.js'
import type { CorpusFormat, CorpusParser, CorpusRecord } from '../format.js'

/** Largest document, in bytes of memory. */
const LARGEST_DOCUMENT = 64 << 20

export const text: CorpusFormat = {
  name: 'text',
  summary: 'plain text: a line is a paragraph, a blank line ends a document',
  recognises(name, head) {
    if (/\.(xml|nxml|csv|tsv|json|jsonl|ndjson)$/i.test(name)) return false
    const start = Buffer.from(head).toString('latin1')
    return !start.includes('\0') && !/^\s*<(\?xml|!DOCTYPE|PubmedArticleSet|article)\b/.test(start)
  },
  parser: () => new TextParser(),
}

class TextParser implements CorpusParser {
  private records: CorpusRecord[] = []
  private paragraphs: string[] = []
  private start = -1
  private size = 0
  /** Why the document at hand is not taken; the first fault counts. */
  private fault?: { reason: 'broken' | 'too_large'; byte: number; detail: string }
  private readonly lines = new LineSplitter((line, byte, number, fault) => {
    if (line === undefined) {
      const { found, expected } = describeFault(fault ?? 'encoding')
      const detail = `found ${found} in line ${number}, expected ${expected}`
      this.start = this.start < 0 ? byte : this.start
      this.fault ??= { reason: fault === 'length' ? 'too_large' : 'broken', byte, detail }
      return
    }
    const paragraph = line.replace(/^\ufeff/, '').trim()
    if (paragraph === '') this.finish()
    else this.add(paragraph, byte)
  })

  write(bytes: Uint8Array): CorpusRecord[] {
    this.lines.write(bytes)
    return this.taken()
  }

  end(): CorpusRecord[] {
    this.lines.end()
    this.finish()
    return this.taken()
  }

  private add(paragraph: string, byte: number): void {
    if (this.start < 0) this.start = byte
    // with what a string takes beside its characters: a document may be millions of lines of one
    this.size += paragraph.length + 32
    if (this.size > LARGEST_DOCUMENT) {
      const most = `${LARGEST_DOCUMENT >> 20} MiB`
      const detail = `found no blank line in ${most}, expected documents of at most ${most}`
      this.fault ??= { reason: 'too_large', byte: this.start, detail }
    }
    if (this.fault === undefined) this.paragraphs.push(paragraph)
    else this.paragraphs = []
  }

  private finish(): void {
    if (this.start < 0) return
    const { fault, paragraphs } = this
    if (fault !== undefined) this.records.push({ kind: 'dropped', ...fault })
    else this.records.push({ kind: 'document', paragraphs })
    this.paragraphs = []
    this.start = -1
    this.size = 0
    this.fault = undefined
  }

  private taken(): CorpusRecord[] {
    const records = this.records
    this.records = []
    return records
  }
}
