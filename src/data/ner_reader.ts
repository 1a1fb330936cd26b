/**
 * Reads labelled sentences for named entity recognition: one word a line with its tag, a blank line after a
 * sentence. Two columns (`word<TAB>tag`, or separated by spaces) and CoNLL files (two columns or more: the word
 * is the first, the tag the last; `-DOCSTART-` lines are passed over). Tags are B, I, O, or B-TYPE, I-TYPE, O.
 * An I without a B before it is taken as it stands: what it means is for the scoring to say.
 */
import { readFileSync } from 'node:fs'
import { InputError, UserError } from '../error.js'

/** One sentence; `tags[i]` belongs to `words[i]`. */
export interface NerSentence {
  words: string[]
  tags: string[]
  /** Line of the first word, from 1. */
  line: number
}

export interface NerFile {
  path: string
  sentences: NerSentence[]
  /** The tags that occur, in the order of `labelNames`. */
  tagSet: string[]
}

const expectedRow = 'a word, a tab or spaces, and a tag'
const expectedTag = 'B, I or O, or B-TYPE, I-TYPE or O'

/**
 * Reads one file (UTF-8, with or without byte order mark, LF or CRLF).
 * Throws InputError for a missing, empty or non-UTF-8 file, a row without a word or a tag, a row with another
 * number of columns than the first one, an unknown tag, and plain tags mixed with typed ones.
 */
export function readNer(path: string): NerFile {
  const lines = decode(path, readBytes(path)).split('\n')
  const sentences: NerSentence[] = []
  const tagSet = new Set<string>()
  let sentence: NerSentence | undefined
  let columns: { count: number; line: number } | undefined
  let form: { tag: string; line: number } | undefined

  for (let i = 0; i < lines.length; i++) {
    const line = i + 1
    const row = lines[i].endsWith('\r') ? lines[i].slice(0, -1) : lines[i]
    if (/^[ \t]*$/.test(row)) {
      sentence = undefined
      continue
    }
    const fields = split(row)
    const word = fields[0]
    if (word === '-DOCSTART-') {
      sentence = undefined
      continue
    }
    if (fields.length < 2) {
      throw new InputError({ file: path, line, found: `${quote(row)}, one column`, expected: expectedRow })
    }
    if (word === '') {
      throw new InputError({ file: path, line, found: `${quote(row)}, no word`, expected: expectedRow })
    }
    columns ??= { count: fields.length, line }
    if (fields.length !== columns.count) {
      throw new InputError({
        file: path,
        line,
        found: `${quote(row)}, ${fields.length} columns`,
        expected: `${columns.count} columns as in line ${columns.line}`,
      })
    }
    const tag = fields[fields.length - 1]
    if (!isTag(tag)) {
      throw new InputError({ file: path, line, found: `tag ${quote(tag)}`, expected: expectedTag })
    }
    if (tag !== 'O') {
      form ??= { tag, line }
      if ((form.tag.length === 1) !== (tag.length === 1)) {
        const kind = form.tag.length === 1 ? 'plain tags' : 'tags with a type'
        const expected = `${kind} throughout, as ${quote(form.tag)} in line ${form.line}`
        throw new InputError({ file: path, line, found: `tag ${quote(tag)}`, expected })
      }
    }
    if (sentence === undefined) {
      sentence = { words: [], tags: [], line }
      sentences.push(sentence)
    }
    sentence.words.push(word)
    sentence.tags.push(tag)
    tagSet.add(tag)
  }
  if (sentences.length === 0) {
    throw new InputError({ file: path, found: 'no labelled word', expected: `lines with ${expectedRow}` })
  }
  const known = [...tagSet]
  return { path, sentences, tagSet: order(typesOf(known)).filter((tag) => tagSet.has(tag)) }
}

/**
 * The labels that a model for these files has, in a fixed order: O, B, I, or O and then B-TYPE, I-TYPE for
 * each type in the order of its code units. Both tags of a type are there even if the files have only one.
 * Throws UserError where one file has plain tags and another typed ones.
 */
export function labelNames(files: NerFile[]): string[] {
  const kinds = files.map((file) => {
    const tag = file.tagSet.find((other) => other !== 'O')
    return { path: file.path, kind: tag === undefined ? undefined : tag.length === 1 ? 'plain' : 'typed' }
  })
  const plain = kinds.find((file) => file.kind === 'plain')
  const typed = kinds.find((file) => file.kind === 'typed')
  if (plain !== undefined && typed !== undefined) {
    throw new UserError(
      `${plain.path} has tags without a type (B, I), ${typed.path} with one (B-TYPE, I-TYPE)`,
    )
  }
  return order(typesOf(files.flatMap((file) => file.tagSet)))
}

/** The type of a tag: `Disease` of `B-Disease`; empty for B, I and O. */
export function typeOf(tag: string): string {
  return tag.slice(2)
}

function typesOf(tags: string[]): string[] {
  const types = new Set(tags.filter((tag) => tag !== 'O').map(typeOf))
  return types.size === 0 ? [''] : [...types].sort()
}

function order(types: string[]): string[] {
  return ['O', ...types.flatMap((type) => (type === '' ? ['B', 'I'] : [`B-${type}`, `I-${type}`]))]
}

function isTag(tag: string): boolean {
  return tag === 'O' || tag === 'B' || tag === 'I' || /^[BI]-./u.test(tag)
}

/** Columns of a row: by tabs where it has one (a word may then hold spaces), by white space elsewhere. */
function split(row: string): string[] {
  if (row.includes('\t')) return row.split('\t').map(trim)
  return trim(row).split(/ +/)
}

/** Without spaces at either end; other white space (a no-break space, say) is part of a word. */
function trim(text: string): string {
  return text.replace(/^ +| +$/g, '')
}

function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text
  return JSON.stringify(shown)
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const found =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EISDIR'
          ? 'a folder'
          : `a file that cannot be read (${code})`
    throw new InputError({ file: path, found, expected: 'a file of labelled sentences' })
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError({
      file: path,
      line: badLine(bytes),
      found: 'bytes that are not UTF-8',
      expected: 'UTF-8 text',
    })
  }
}

/** The first line, from 1, that does not decode by itself. */
function badLine(bytes: Uint8Array): number {
  let line = 1
  for (let start = 0; start <= bytes.length; line++) {
    const found = bytes.indexOf(10, start)
    const end = found < 0 ? bytes.length : found
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, end))
    } catch {
      return line
    }
    start = end + 1
  }
  return line - 1
}
