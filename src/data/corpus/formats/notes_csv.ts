/**
 * Clinical notes as MIMIC-III gives them, NOTEEVENTS.csv: a header, quoted fields of many lines, one note a row. Columns are found by
 * name: TEXT and ROW_ID, and ISERROR where it is there (1: the note was entered by mistake, and is dropped). A blank line or a ruled
 * one ends a paragraph. Placeholders of de-identification, `[**Hospital1 18**]`, stay as they are: the papers say nothing of
 * removing them, clinical test sets have them too, and without them sentences have holes.
 * After a broken row, reading goes on at the next line that begins as a row does, with a number and a comma.
 */
import { isUtf8 } from 'node:buffer'
import { CsvError, Parser } from 'csv-parse'
import { quote } from '../../files/text.js'
import type { CorpusFormat, CorpusParser, CorpusRecord } from '../format.js'

/** Largest row in bytes. */
const LARGEST_ROW = 4 << 20
/** Bytes that may be read again after broken rows, beyond those read so far: a file of nothing else does not take for ever. */
const MOST_READ_AGAIN = 64 << 20
const MARK = Buffer.from('\ufeff')

export const notesCsv: CorpusFormat = {
  name: 'notes-csv',
  summary: 'clinical notes as CSV with columns ROW_ID and TEXT (MIMIC-III NOTEEVENTS)',
  recognises(_name, head) {
    const names = Buffer.from(head)
      .toString('latin1')
      .replace(/^\xef\xbb\xbf/, '')
      .split(/\r?\n/, 1)[0]
    const columns = names.split(',').map((name) => name.replace(/^"|"$/g, '').trim().toUpperCase())
    return columns.includes('ROW_ID') && columns.includes('TEXT')
  },
  parser: () => new NotesParser(),
}

interface Columns {
  count: number
  text: number
  id: number
  error: number
}

class NotesParser implements CorpusParser {
  private records: CorpusRecord[] = []
  private columns?: Columns
  /** Bytes of the row at hand, from `rowStart` of the file on. */
  private row: Buffer = Buffer.alloc(0)
  private rowLength = 0
  private rowStart = 0
  private csv?: Parser
  /** Where the bytes that `csv` counts begin. */
  private csvStart = 0
  private rowsEnd = 0
  private seeking = false
  private first = true
  private readAgain = 0
  private givenUp = false

  write(bytes: Uint8Array): CorpusRecord[] {
    if (this.givenUp) return []
    this.hold(bytes)
    if (this.first) {
      if (this.rowLength < MARK.length) return []
      this.first = false
      if (MARK.equals(this.row.subarray(0, MARK.length))) this.drop(MARK.length)
      this.parse(this.row.subarray(0, this.rowLength), false)
    } else if (this.seeking) this.seek(false)
    else this.parse(bytes, false)
    return this.taken()
  }

  end(): CorpusRecord[] {
    if (this.givenUp) return []
    if (this.first) {
      this.first = false
      this.parse(this.row.subarray(0, this.rowLength), true)
    } else if (this.seeking) this.seek(true)
    else this.parse(undefined, true)
    if (this.columns === undefined && this.records.length === 0 && !this.givenUp)
      this.records.push(broken(0, 'an empty file', 'a header with the columns ROW_ID and TEXT'))
    return this.taken()
  }

  /** Hands bytes to the CSV reader; a row that is broken is dropped and the next one sought. */
  private parse(bytes: Uint8Array | undefined, last: boolean): void {
    let given = bytes
    for (;;) {
      const error = this.feed(given, last)
      if (error === undefined) break
      this.records.push(
        broken(this.rowsEnd, describe(error), 'rows of quoted fields, as the header names them'),
      )
      if (this.columns === undefined || this.readAgain > MOST_READ_AGAIN + this.rowsEnd) {
        this.giveUp()
        return
      }
      this.seekFromRow()
      if (!this.findRow(last)) return
      given = Buffer.from(this.row.subarray(0, this.rowLength))
    }
    this.drop(this.rowsEnd - this.rowStart)
  }

  /** The error of these bytes. The reader works at once: rows come by `on_record`, before `write` returns. */
  private feed(bytes: Uint8Array | undefined, last: boolean): Error | undefined {
    this.csv ??= this.reader()
    const { csv } = this
    if (bytes !== undefined && bytes.length > 0) csv.write(Buffer.from(bytes))
    if (last && csv.errored === null) csv.end()
    return csv.errored ?? undefined
  }

  private reader(): Parser {
    this.csvStart = this.rowStart
    this.rowsEnd = this.rowStart
    const csv = new Parser({
      encoding: null,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: LARGEST_ROW,
      on_record: (row, info) => {
        // without an encoding, cells are bytes
        const cells = row as unknown as Buffer[]
        const start = this.rowsEnd
        this.rowsEnd = this.csvStart + info.bytes
        if (this.columns === undefined) this.readHeader(cells)
        else this.records.push(recordOf(cells, this.columns, start))
        return null
      },
    })
    // its errors are looked at where they happen; without a listener they would end the process
    csv.on('error', () => undefined)
    csv.resume()
    return csv
  }

  private readHeader(cells: Buffer[]): void {
    const names = cells.map((cell) => cell.toString('utf8').trim().toUpperCase())
    const [text, id, error] = ['TEXT', 'ROW_ID', 'ISERROR'].map((name) => names.indexOf(name))
    if (text < 0 || id < 0) throw new HeaderError(quote(names.join(',')))
    this.columns = { count: names.length, text, id, error }
  }

  /** The broken row but for its first line, in which the next row may begin, is read again. */
  private seekFromRow(): void {
    this.csv = undefined
    this.seeking = true
    this.drop(this.rowsEnd - this.rowStart)
    const lineEnd = this.row.subarray(0, this.rowLength).indexOf(10)
    this.drop(lineEnd < 0 ? this.rowLength : lineEnd)
    this.readAgain += this.rowLength
  }

  private seek(last: boolean): void {
    if (this.findRow(last)) this.parse(Buffer.from(this.row.subarray(0, this.rowLength)), last)
  }

  /** Whether a row begins in what is held, which then begins with it. */
  private findRow(last: boolean): boolean {
    const held = this.row.subarray(0, this.rowLength)
    for (let feed = held.indexOf(10); feed >= 0; feed = held.indexOf(10, feed + 1)) {
      const begins = held[feed + 1] ?? 0
      if (held.length - feed > 20 && begins !== 34 && (begins < 48 || begins > 57)) continue
      const start = /^"?\d{1,15}"?(,|$)/.exec(held.toString('latin1', feed + 1, feed + 20))
      if (start === null && held.length - feed > 20) continue
      if (start?.[1] === ',') {
        this.drop(feed + 1)
        this.seeking = false
        return true
      }
      // the line is not whole yet
      if (!last && held.length - feed <= 20 && held.indexOf(10, feed + 1) < 0) {
        this.drop(feed)
        return false
      }
    }
    this.drop(this.rowLength)
    return false
  }

  private giveUp(): void {
    if (this.columns !== undefined) {
      const expected = 'CSV; the rest of the file is left out'
      this.records.push(broken(this.rowsEnd, 'too many rows whose quotes do not close', expected))
    }
    this.givenUp = true
    this.row = Buffer.alloc(0)
  }

  private hold(bytes: Uint8Array): void {
    const length = this.rowLength + bytes.length
    if (length > this.row.length) {
      const larger = Buffer.alloc(Math.max(length, 2 * this.row.length))
      this.row.copy(larger, 0, 0, this.rowLength)
      this.row = larger
    }
    this.row.set(bytes, this.rowLength)
    this.rowLength = length
  }

  private drop(count: number): void {
    this.row.copyWithin(0, count, this.rowLength)
    this.rowLength -= count
    this.rowStart += count
  }

  private taken(): CorpusRecord[] {
    const records = this.records
    this.records = []
    return records
  }
}

class HeaderError extends Error {}

function recordOf(cells: readonly Buffer[], columns: Columns, byte: number): CorpusRecord {
  const { count, text, id: idAt, error } = columns
  if (cells.length !== count) return broken(byte, `${cells.length} columns`, `${count} as in the header`)
  const [note, id] = [cells[text], cells[idAt].toString('latin1').trim()]
  if (!isUtf8(note)) return broken(byte, 'bytes that are not UTF-8', 'UTF-8 text')
  if (!/^\d{1,15}$/.test(id)) return broken(byte, `ROW_ID ${quote(id)}`, 'a number')
  if (error >= 0 && cells[error].toString('latin1').trim() === '1')
    return { kind: 'dropped', reason: 'entered_in_error', id, byte }
  const paragraphs = paragraphsOf(note.toString('utf8'))
  if (paragraphs.length === 0) return { kind: 'dropped', reason: 'no_text', id, byte }
  return { kind: 'document', id, paragraphs }
}

function broken(byte: number, found: string, expected: string): CorpusRecord {
  return { kind: 'dropped', reason: 'broken', byte, detail: `found ${found}, expected ${expected}` }
}

function describe(error: Error): string {
  if (error instanceof HeaderError) return `the columns ${error.message}`
  if (!(error instanceof CsvError)) return `a row that cannot be read (${error.message})`
  if (error.code === 'CSV_MAX_RECORD_SIZE') return `a row longer than ${LARGEST_ROW >> 20} MiB`
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') return 'a quote that does not close'
  return 'a quote within a field'
}

/** Hard line breaks inside a paragraph are blanks; a line without letter or digit stands between paragraphs. */
function paragraphsOf(note: string): string[] {
  const paragraphs: string[] = []
  let lines: string[] = []
  for (const line of [...note.split(/\r\n|\n|\r/), '']) {
    if (/[\p{L}\p{N}]/u.test(line)) lines.push(line.trim())
    else if (lines.length > 0) {
      paragraphs.push(lines.join(' '))
      lines = []
    }
  }
  return paragraphs
}
