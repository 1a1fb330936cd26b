/**
 * Documents that are hard to count in (astral characters, combining marks, CRLF, markup), entities in them found by a plain search, and
 * what a test needs to read and write a format. Entities are told by their text, so that an offset is right where it cuts that out.
 */
import type { AnnotatedDocument, Annotation, TextDocument } from '../../src/data/documents/document.js'
import type {
  DocumentWriter,
  Fault,
  NamedText,
  Read,
  WriterOptions,
} from '../../src/data/documents/format.js'
import { formatNamed } from '../../src/data/documents/index.js'
import type { Counting } from '../../src/data/documents/offsets.js'

/** Titles and abstracts; every `fever` and `cough` in them is an entity. */
export const HARD_TEXTS: readonly (readonly string[])[] = [
  ['Severe fever in patients.', 'Cough and fever, or cough alone.'],
  ['\u{1f912} fever \u{1f469}\u200d\u{1f52c}\u{10ffff}', 'cafe\u0301 fe\u0301ver cough \u{1d7d8}fever'],
  ['fever\r\ncough', 'a\r\n\r\nfever \t cough\rfever\u2028cough\u0085fever\u000bcough'],
  ['<fever> & "cough" \'fever\' ]]> </text>', '&lt;cough&gt; &#102;ever fever'],
  ['', 'fever'],
  ['cough', ''],
  ['\ufefffever', '\u202ecough\u202c \u0645\u0631\u0636 fever'],
]

/** Every `fever` and `cough` of a text. */
export function mentions(text: string, type = 'Sign'): Annotation[] {
  return [...text.matchAll(/fever|cough/g)].map(({ 0: { length }, index }, i) => ({
    type,
    spans: [{ start: index, end: index + length }],
    score: 1 / (i + 2),
  }))
}

/** With what a model could have found in it. */
export function annotated(document: TextDocument): AnnotatedDocument {
  return { ...document, found: document.passages.map(({ text }) => mentions(text)) }
}

export function hardDocuments(): AnnotatedDocument[] {
  return HARD_TEXTS.map(([title, abstract], i) =>
    annotated({
      id: String(100 + i),
      passages: [
        { type: 'title', text: title, given: [] },
        { type: 'abstract', text: abstract, given: [] },
      ],
    }),
  )
}

/** All that a reader makes of bytes, handed over in pieces of `size`. */
export function readAll(
  format: string,
  content: string | Uint8Array,
  size = 1 << 16,
  counting: Counting = 'characters',
): Read[] {
  const reader = formatNamed(format)?.reader?.({ counting })
  if (reader === undefined) throw new Error(`no reader of ${format}`)
  const bytes = Buffer.from(content)
  const reads: Read[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Uint8Array.from(bytes.subarray(at, at + size))
    reads.push(...reader.write(piece))
    // the caller may use its bytes again
    piece.fill(0)
  }
  return [...reads, ...reader.end()]
}

/** The documents, where nothing is wrong with any. */
export function documentsOf(reads: readonly Read[]): TextDocument[] {
  return reads.map((read) => {
    if (read.kind === 'fault') throw new Error(`${JSON.stringify(read.fault)}`)
    return read.document
  })
}

export function faultsOf(reads: readonly Read[]): Fault[] {
  return reads.flatMap((read) => (read.kind === 'fault' ? [read.fault] : []))
}

export function writerOf(format: string, options: Partial<WriterOptions> = {}): DocumentWriter {
  const writer = formatNamed(format)?.writer?.({ counting: 'characters', replace: false, ...options })
  if (writer === undefined) throw new Error(`no writer of ${format}`)
  return writer
}

/** The text of a file of documents. */
export function writtenAs(
  format: string,
  documents: readonly AnnotatedDocument[],
  options: Partial<WriterOptions> = {},
  around?: Readonly<Record<string, unknown>>,
): string {
  const writer = writerOf(format, options)
  return writer.head(around) + documents.map((one) => writer.document(one)).join('') + writer.foot()
}

/** The files of a folder of documents. */
export function writtenFiles(format: string, documents: readonly AnnotatedDocument[]): NamedText[] {
  const writer = writerOf(format)
  return documents.flatMap((one) => writer.document(one) as readonly NamedText[])
}
