/**
 * brat standoff, a pair of files for each document: NAME.txt and NAME.ann, in which `T1<TAB>Type start end<TAB>text` is a mention and
 * `#1<TAB>AnnotatorNotes T1<TAB>score 0.9876` what the model thinks of it. Offsets count Unicode code points of the .txt, in
 * which a carriage return is a space, as it would be read as a line's end here and not there. A mention over lines has a
 * stretch for each.
 */
import {
  type AnnotatedDocument,
  type Annotation,
  annotatedText,
  documentAnnotations,
  documentText,
  type Span,
} from '../document.js'
import type { DocumentFormat, NamedText } from '../format.js'
import { counter } from '../offsets.js'

export const brat: DocumentFormat = {
  name: 'brat',
  summary: 'brat standoff: a folder of .txt and .ann',
  extension: '',
  folder: true,
  writer({ replace }) {
    const name = names()
    return {
      head: () => '',
      passed({ id }) {
        name(id)
      },
      document: (document) => pair(document, name(document.id), replace),
      foot: () => '',
    }
  },
}

function pair(document: AnnotatedDocument, name: string, replace: boolean): NamedText[] {
  const text = documentText(document).replace(/(?!\n)[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
  const { given, found } = documentAnnotations(document)
  const count = counter(text)
  const rows: string[] = []
  let notes = 0
  for (const [i, annotation] of [...(replace ? [] : given), ...found].entries()) {
    const spans = annotation.spans.flatMap((span) => linesOf(text, span))
    const places = spans.map(({ start, end }) => `${count.at(start)} ${count.at(end)}`).join(';')
    rows.push(`T${i + 1}\t${typeName(annotation)} ${places}\t${annotatedText(text, { spans })}\n`)
    if (annotation.score !== undefined)
      rows.push(`#${++notes}\tAnnotatorNotes T${i + 1}\tscore ${annotation.score.toFixed(4)}\n`)
  }
  return [
    { name: `${name}.txt`, text },
    { name: `${name}.ann`, text: rows.join('') },
  ]
}

/** A stretch for each line that is not blank; the whole where there is no line feed. */
function linesOf(text: string, { start, end }: Span): Span[] {
  const spans: Span[] = []
  let from = start
  for (const line of text.slice(start, end).split('\n')) {
    if (line !== '') spans.push({ start: from, end: from + line.length })
    from += line.length + 1
  }
  return spans.length > 0 ? spans : [{ start, end: start }]
}

/** brat's types are words. */
function typeName({ type }: Annotation): string {
  return type.replace(/[^\p{L}\p{N}_-]+/gu, '_') || '_'
}

/** Names of files by the ids of documents: safe on every system, each used once. */
function names(): (id: string | undefined) => string {
  const used = new Set<string>()
  /** The next number of a name that was wanted before. */
  const numbers = new Map<string, number>()
  let count = 0
  return (id) => {
    count++
    const stem = id === undefined || id === '' ? `document-${String(count).padStart(6, '0')}` : fileName(id)
    let name = stem
    // file systems that do not tell A from a exist
    let n = numbers.get(stem.toLowerCase()) ?? 2
    for (; used.has(name.toLowerCase()); n++) name = `${stem}~${n}`
    if (name !== stem) numbers.set(stem.toLowerCase(), n)
    used.add(name.toLowerCase())
    return name
  }
}

/** Letters, digits, `.`, `_` and `-` stay, all else is %XX as in addresses; no name begins with a full stop or is too long. */
function fileName(id: string): string {
  const safe = [...Buffer.from(id, 'utf8')]
    .map((byte) => (/[A-Za-z0-9._-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : hex(byte)))
    .join('')
    .replace(/^\./, '%2E')
  return safe.length <= 180 ? safe : `${safe.slice(0, 170)}~${safe.length}`
}

function hex(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
