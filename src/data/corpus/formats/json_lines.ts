/**
 * One JSON object a line: `text` (its line breaks end paragraphs), or `title` and `abstract`, or an array `paragraphs`; `id` or
 * `pmid` tells documents apart, and of several with one id the highest `version` counts. Other fields are not looked at.
 */
import { describeFault, LineSplitter } from '../../files/lines.js'
import { quote } from '../../files/text.js'
import type { CorpusFormat, CorpusParser, CorpusRecord } from '../format.js'

export const jsonLines: CorpusFormat = {
  name: 'jsonl',
  summary: 'one JSON object a line: "text", or "title" and "abstract", or "paragraphs"; "id" or "pmid"',
  recognises(name, head) {
    const start = Buffer.from(head)
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trimStart()
    if (!start.startsWith('{')) return false
    if (/\.(jsonl|ndjson)$/i.test(name)) return true
    const end = start.indexOf('\n')
    // a first line longer than what is here is told by its first field
    return end < 0 ? /^\{\s*"/.test(start) && !start.includes('\0') : isObject(parse(start.slice(0, end)))
  },
  parser: () => new JsonLinesParser(),
}

type Fields = Readonly<Record<string, unknown>>

/** Longest line in bytes. */
const LONGEST = 16 << 20

const EXPECTED = 'an object with "text", or "title" and "abstract", or "paragraphs"'

class JsonLinesParser implements CorpusParser {
  private records: CorpusRecord[] = []
  private readonly lines = new LineSplitter((line, byte, number, fault) => {
    if (line === undefined) {
      const { found, expected } = describeFault(fault ?? 'encoding', LONGEST)
      const reason = fault === 'length' ? 'too_large' : 'broken'
      const detail = `found ${found} in line ${number}, expected ${expected}`
      this.records.push({ kind: 'dropped', reason, byte, detail })
    } else if (line.trim() !== '') this.records.push(recordOf(line, byte, number))
  }, LONGEST)

  write(bytes: Uint8Array): CorpusRecord[] {
    this.lines.write(bytes)
    return this.taken()
  }

  end(): CorpusRecord[] {
    this.lines.end()
    return this.taken()
  }

  private taken(): CorpusRecord[] {
    const records = this.records
    this.records = []
    return records
  }
}

function recordOf(line: string, byte: number, number: number): CorpusRecord {
  const broken = (found: string, expected: string): CorpusRecord => ({
    kind: 'dropped',
    reason: 'broken',
    byte,
    detail: `found ${found} in line ${number}, expected ${expected}`,
  })
  const fields = parse(line)
  if (!isObject(fields)) return broken(quote(line), 'a JSON object')
  const id = fields.id ?? fields.pmid ?? undefined
  if (id !== undefined && typeof id !== 'string' && typeof id !== 'number')
    return broken(`an id of type ${typeof id}`, 'a string or a number')
  const version = fields.version ?? undefined
  if (version !== undefined && !isVersion(version))
    return broken(`version ${quote(JSON.stringify(version))}`, 'a whole number of 0 or more')
  const paragraphs = paragraphsOf(fields)
  if (paragraphs === undefined) return broken(`fields ${quote(Object.keys(fields).join(', '))}`, EXPECTED)
  const told = { ...(id === undefined ? {} : { id: String(id) }) }
  if (paragraphs.length === 0) return { kind: 'dropped', reason: 'no_text', byte, ...told }
  return { kind: 'document', ...told, ...(version === undefined ? {} : { version }), paragraphs }
}

/** The paragraphs; undefined where the fields are not there or not text. */
function paragraphsOf(fields: Fields): string[] | undefined {
  const { text, title, abstract, paragraphs } = fields
  const named = text !== undefined ? [text] : paragraphs !== undefined ? [paragraphs] : [title, abstract]
  const given = named.flat(1).filter((part) => part !== undefined && part !== null)
  if (!given.every((part) => typeof part === 'string')) return undefined
  if (given.length === 0 && named.every((part) => part === undefined)) return undefined
  return given.flatMap((part) => part.split(/\r?\n/)).flatMap((line) => line.trim() || [])
}

function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
