/**
 * PubTator: `ID|t|title`, `ID|a|abstract`, then a line for each mention (ID, start, end, text, type, concept; tabs between) and for
 * each relation (four columns), a blank line behind each document. Offsets count Unicode code points of the title, one
 * separator and the abstract. Mention and relation lines of the input are written back as they are.
 */

import { quote } from '../../files/text.js'
import {
  type AnnotatedDocument,
  type Annotation,
  annotatedText,
  documentAnnotations,
  documentText,
  type Passage,
} from '../document.js'
import { type DocumentFormat, type Fault, LARGEST_DOCUMENT, type Read, Unwritable } from '../format.js'
import { DocumentLines, type Line } from '../lines.js'
import { counter } from '../offsets.js'

export const pubtator: DocumentFormat = {
  name: 'pubtator',
  summary: 'PubTator: ID|t|title, ID|a|abstract, tab-separated mentions',
  extension: '.pubtator',
  recognises: (name, head) => /\.pubtator(\.txt)?$/i.test(name) || OPENING.test(firstLine(head)),
  reader() {
    const parser = new PubtatorParser()
    return { write: (bytes) => parser.write(bytes), end: () => parser.end() }
  },
  writer: ({ replace }) => ({
    head: () => '',
    document: (document) => written(document, replace),
    foot: () => '',
  }),
}

const OPENING = /^[^|\t]+\|t\|/
const PART = /^([^|\t]+)\|([ta])\|(.*)$/su
const EXPECTED = 'ID|t|title, ID|a|abstract, or ID, start, end, text and type with tabs between'

function firstLine(head: Uint8Array): string {
  const text = Buffer.from(head.buffer, head.byteOffset, head.length)
    .toString('utf8')
    .replace(/^\ufeff/, '')
  return text.trimStart().split('\n', 1)[0]
}

interface Begun {
  id: string
  title?: string
  abstract?: string
  mentions: string[]
  rest: string[]
  bytes: number
  line: number
  byte: number
  fault?: Fault
}

class PubtatorParser {
  private readonly lines = new DocumentLines()
  private begun: Begun | undefined

  write(bytes: Uint8Array): Read[] {
    return this.lines.write(bytes).flatMap((line) => this.take(line))
  }

  end(): Read[] {
    return [...this.lines.end().flatMap((line) => this.take(line)), ...this.finish()]
  }

  private take({ text, found, expected, number: line, byte }: Line): Read[] {
    if (text?.trim() === '') return this.finish()
    const part = text === undefined ? null : PART.exec(text)
    // a document may follow without a blank line between
    const ended = part?.[2] === 't' && this.begun?.title !== undefined ? this.finish() : []
    this.begun ??= { id: part?.[1] ?? '', mentions: [], rest: [], bytes: 0, line, byte }
    const begun = this.begun
    const fail = (found: string, expected: string) => {
      begun.fault ??= { line, found, expected, ...(begun.id !== '' && { id: begun.id }) }
    }
    begun.bytes += text?.length ?? 0
    if (begun.bytes > LARGEST_DOCUMENT) {
      fail(`a document of more than ${LARGEST_DOCUMENT >> 20} MiB`, 'a blank line behind every document')
      begun.mentions = []
      begun.rest = []
      return ended
    }
    if (text === undefined) fail(found ?? '', expected ?? '')
    else if (part !== null) {
      const [, id, kind, words] = part
      const name = kind === 't' ? 'title' : 'abstract'
      if (begun.id !== id) fail(`the ${name} of ${quote(id)}`, `that of ${quote(begun.id)}, or a blank line`)
      else if (begun[name] !== undefined) fail(`a second ${name} of ${quote(id)}`, 'one')
      else begun[name] = words
    } else {
      const cells = text.split('\t')
      if (cells.length < 4) fail(quote(text), EXPECTED)
      else if (cells[0] !== begun.id) fail(`a line of ${quote(cells[0])}`, `one of ${quote(begun.id)}`)
      else if (isMention(cells)) begun.mentions.push(text)
      else begun.rest.push(text)
    }
    return ended
  }

  private finish(): Read[] {
    const { begun } = this
    this.begun = undefined
    if (begun === undefined) return []
    const { id, title, abstract, mentions, rest, line, byte } = begun
    if (begun.fault !== undefined) return [{ kind: 'fault', fault: begun.fault }]
    if (title === undefined && abstract === undefined)
      return [{ kind: 'fault', fault: { id, line, found: 'mentions without a text', expected: EXPECTED } }]
    const passages: Passage[] = [
      { type: 'title', text: title ?? '', given: [] },
      { type: 'abstract', text: abstract ?? '', given: [] },
    ]
    const given = mentionsOf(passages, mentions, line)
    if ('fault' in given) return [{ kind: 'fault', fault: { ...given.fault, id } }]
    const document = { id, passages: given.passages, kept: { format: 'pubtator', mentions, rest } as const }
    return [{ kind: 'document', document, line, byte }]
  }
}

/** Five columns or more with two numbers; a relation has four, the second of which is its type. */
function isMention(cells: readonly string[]): boolean {
  return cells.length >= 5 && /^\d+$/.test(cells[1]) && /^\d+$/.test(cells[2])
}

/** The passages with what the mention lines say of them. A mention that reaches out of its passage is a fault. */
function mentionsOf(
  passages: readonly Passage[],
  mentions: readonly string[],
  line: number,
): { passages: Passage[] } | { fault: Fault } {
  const counters = passages.map(({ text }) => counter(text))
  const given: Annotation[][] = [[], []]
  for (const mention of mentions) {
    const [, from, to, , type] = mention.split('\t')
    const p = Number(from) > counters[0].length ? 1 : 0
    const before = p === 0 ? 0 : counters[0].length + 1
    const [start, end] = [counters[p].units(Number(from) - before), counters[p].units(Number(to) - before)]
    if (start === undefined || end === undefined || start > end) {
      const expected = `a mention inside of the title (${counters[0].length} characters) or of the abstract`
      return { fault: { line, found: quote(mention), expected } }
    }
    given[p].push({ type, spans: [{ start, end }] })
  }
  return { passages: passages.map((passage, p) => ({ ...passage, given: given[p] })) }
}

function written(document: AnnotatedDocument, replace: boolean): string {
  const { id, passages, kept } = document
  if (id === undefined || id === '' || /[|\p{Cc}\p{Zl}\p{Zp}]/u.test(id))
    throw new Unwritable(
      id === undefined ? 'a document without an id' : `the id ${quote(id)}`,
      'an id without | and tabs',
    )
  const whole = documentText(document)
  const count = counter(whole)
  // one text alone is a title: its offsets are those of every other format
  const title = passages[0]?.text ?? ''
  const rest = whole.slice(title.length + 1)
  const { given, found } = documentAnnotations(document)
  const row = (annotation: Annotation): string => {
    const { start } = annotation.spans[0]
    const { end } = annotation.spans[annotation.spans.length - 1]
    const words = oneLine(annotatedText(whole, { spans: [{ start, end }] }))
    return [id, count.at(start), count.at(end), words, oneLine(annotation.type), '-'].join('\t')
  }
  const own = kept?.format === 'pubtator' ? kept : undefined
  const lines = [
    `${id}|t|${oneLine(title)}`,
    `${id}|a|${oneLine(rest)}`,
    ...(replace ? [] : (own?.mentions ?? given.map(row))),
    ...found.map(row),
    ...(own?.rest ?? []),
  ]
  return `${lines.join('\n')}\n\n`
}

/** What would end a line or a column for one reader or another is a space: as many characters as before. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
}
