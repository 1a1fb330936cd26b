/**
 * Tables of tab-separated cells, as data sets come: with or without quotes, LF or CRLF, each row with the line it begins on.
 * Most releases write text as it stands, so that a cell may begin with a quotation mark that quotes nothing; others quote as
 * RFC 4180 does, tabs and line breaks inside. A cell is quoted where its quotes close right before a tab or the end of a row:
 *
 *   "a ""b"" c"<TAB>   a "b" c        " Slow progressor " melanomas<TAB>   as it stands
 *
 * and a quoted cell reaches into further lines only where its row has too few cells without, and as many as the first row with.
 */
import { readText } from './text_node.js'

export interface TsvRow {
  readonly cells: readonly string[]
  /** Where the row begins, from 1. */
  readonly line: number
}

/** The rows of a file, blank lines left out. Throws an InputError where it cannot be read; `expected` says what it should be. */
export function readTsv(path: string, expected: string): TsvRow[] {
  return parseTsv(readText(path, expected))
}

export function parseTsv(text: string): TsvRow[] {
  const rows: TsvRow[] = []
  let width: number | undefined
  let line = 1
  for (let at = 0; at < text.length; ) {
    const { cells, next } = readRow(text, at, width)
    if (cells.length > 1 || cells[0].trim() !== '') {
      rows.push({ cells, line })
      width ??= cells.length
    }
    line += lineFeeds(text, at, next)
    at = next
  }
  return rows
}

interface Row {
  cells: string[]
  /** Where the next row begins. */
  next: number
}

function readRow(text: string, start: number, width: number | undefined): Row {
  const feed = text.indexOf('\n', start)
  const one = cellsOf(text, start, feed < 0 ? text.length : feed)
  if (width === undefined || one.cells.length >= width || !text.slice(start, one.next).includes('"'))
    return one
  const several = cellsOf(text, start, text.length)
  return several.cells.length === width ? several : one
}

/** The cells of the row at `at`; quotes have to close before `limit`. */
function cellsOf(text: string, at: number, limit: number): Row {
  const cells: string[] = []
  for (;;) {
    const close = text[at] === '"' ? closingQuote(text, at + 1, limit) : -1
    let end = close < 0 ? plainEnd(text, at) : close + 1
    const cell = close < 0 ? text.slice(at, end) : text.slice(at + 1, close).replaceAll('""', '"')
    if (text[end] === '\t') {
      cells.push(cell)
      at = end + 1
      continue
    }
    cells.push(close < 0 && cell.endsWith('\r') ? cell.slice(0, -1) : cell)
    if (text[end] === '\r') end++
    return { cells, next: end + 1 }
  }
}

/** Where a cell without quotes ends: the next tab or line feed. */
function plainEnd(text: string, at: number): number {
  const plain = /[^\t\n]*/y
  plain.lastIndex = at
  plain.exec(text)
  return plain.lastIndex
}

/** Where the quotes that were opened before `at` close, right before a tab or the end of a row; -1 where they do not. */
function closingQuote(text: string, at: number, limit: number): number {
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0 || quote >= limit) return -1
    if (text[quote + 1] !== '"') return /^(\t|\r?\n|\r?$)/.test(text.slice(quote + 1, quote + 3)) ? quote : -1
    at = quote + 2
  }
}

function lineFeeds(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++
  return count
}
