/**
 * JSON lines: `{"id", "text"}` on every line, `entities` where the line has some: `[{"start", "end", "type"}]`, offsets in Unicode code
 * points of the text. What else an object holds is written back as it came. Written with `entities`, or with `labels` and
 * `probabilities` where a model labels whole documents.
 */
import { InputError } from '../../../error.js'
import { type JsonLine, parseObject } from '../../files/json_lines.js'
import { quote } from '../../files/text.js'
import {
  type AnnotatedDocument,
  type Annotation,
  annotatedText,
  documentAnnotations,
  documentText,
} from '../document.js'
import type { DocumentFormat, Fault, Read } from '../format.js'
import { DocumentLines, type Line } from '../lines.js'
import { type Counter, counter } from '../offsets.js'

export const jsonl: DocumentFormat = {
  name: 'jsonl',
  summary: 'JSON lines: {"id", "text"} and what else there is, which stays',
  extension: '.jsonl',
  labels: true,
  recognises: (name, head) => /\.(jsonl|ndjson)$/i.test(name) || hasText(head),
  reader() {
    const lines = new DocumentLines()
    const read = (list: Line[]) => list.flatMap((line) => (line.text?.trim() === '' ? [] : [readLine(line)]))
    return { write: (bytes) => read(lines.write(bytes)), end: () => read(lines.end()) }
  },
  writer: ({ replace }) => ({
    head: () => '',
    document: (document) => `${JSON.stringify(objectOf(document, replace))}\n`,
    foot: () => '',
  }),
}

/** The first line is an object with a text, or the beginning of a long one. */
function hasText(head: Uint8Array): boolean {
  const line = Buffer.from(head)
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart()
    .split('\n', 1)[0]
  return (
    /^\{\s*"/.test(line) && /"text"\s*:\s*"/.test(line) && !/"(documents|passages|PubTator3)"\s*:/.test(line)
  )
}

const ID = 'an id that is a string or a number'
const ENTITY = 'entities with start, end (characters of the text) and type'

function readLine({ text: row, number: line, byte, found = '', expected = '' }: Line): Read {
  const fault = (complaint: Omit<Fault, 'line' | 'byte'>): Read => ({
    kind: 'fault',
    fault: { line, ...complaint },
  })
  if (row === undefined) return fault({ found, expected })
  if (isDeep(row))
    return fault({ found: `brackets ${DEEPEST} deep`, expected: '{"id": "...", "text": "..."}' })
  let value: JsonLine['value']
  try {
    value = parseObject(row, { file: '', line })
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return fault({ found: quote(row), expected: 'a JSON object on a line' })
  }
  const { id, text, entities } = value
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number')
    return fault({ found: JSON.stringify(id).slice(0, 60), expected: ID })
  const name = id === undefined || id === null ? undefined : String(id)
  if (typeof text !== 'string')
    return fault({
      ...(name !== undefined && { id: name }),
      found: 'no text',
      expected: '{"id": "...", "text": "..."}',
    })
  const given = entities === undefined || entities === null ? [] : annotations(entities, counter(text))
  if (given === undefined) return fault({ found: JSON.stringify(entities).slice(0, 60), expected: ENTITY })
  const document = {
    ...(name !== undefined && { id: name }),
    passages: [{ text, given }],
    kept: { format: 'jsonl', object: value } as const,
  }
  return { kind: 'document', document, line, byte }
}

/** Deeper no reader of JSON has to follow. */
const DEEPEST = 64

/** Whether brackets outside of strings stand so deep. */
function isDeep(row: string): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < row.length; i++) {
    const c = row[i]
    if (inString) {
      if (c === '\\') i++
      else if (c === '"') inString = false
    } else if (c === '"') inString = true
    else if (c === '[' || c === '{') {
      if (++depth > DEEPEST) return true
    } else if (c === ']' || c === '}') depth--
  }
  return false
}

/** Undefined where one is no annotation of the text. */
function annotations(entities: unknown, count: Counter): Annotation[] | undefined {
  if (!Array.isArray(entities)) return undefined
  const list: Annotation[] = []
  for (const entity of entities as unknown[]) {
    if (typeof entity !== 'object' || entity === null) return undefined
    const { start: from, end: to, type, id } = entity as Record<string, unknown>
    if (typeof from !== 'number' || typeof to !== 'number' || typeof type !== 'string') return undefined
    const [start, end] = [count.units(from), count.units(to)]
    if (start === undefined || end === undefined || start > end) return undefined
    list.push({ type, spans: [{ start, end }], ...(typeof id === 'string' && { id }) })
  }
  return list
}

function objectOf(document: AnnotatedDocument, replace: boolean): Record<string, unknown> {
  const { id, kept, labels } = document
  const text = documentText(document)
  const own = kept?.format === 'jsonl' ? kept.object : undefined
  const base = own ?? { ...(id !== undefined && { id }), text }
  if (labels !== undefined)
    return {
      ...base,
      labels: labels.filter(({ applies }) => applies).map(({ label }) => label),
      probabilities: labels.map(({ probability }) => rounded(probability)),
    }
  const { given, found } = documentAnnotations(document)
  const count = counter(text)
  const entity = (annotation: Annotation) => {
    const { spans, type, score, id: own } = annotation
    return {
      ...(own !== undefined && { id: own }),
      start: count.at(spans[0].start),
      end: count.at(spans[spans.length - 1].end),
      ...(spans.length > 1 && { spans: spans.map(({ start, end }) => [count.at(start), count.at(end)]) }),
      type,
      text: annotatedText(text, annotation),
      ...(score !== undefined && { score: rounded(score) }),
    }
  }
  const before = replace ? [] : Array.isArray(own?.entities) ? (own.entities as unknown[]) : given.map(entity)
  return { ...base, entities: [...before, ...found.map(entity)] }
}

function rounded(probability: number): number {
  return Number(probability.toFixed(4))
}
