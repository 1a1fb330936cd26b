/**
 * A document as every format of this room reads and writes it: passages of text, and annotations that stand in them. Inside, a
 * span counts UTF-16 units of its passage, as JavaScript's `slice` does; a format counts in its own way at its own door. Where
 * a document is one text, its passages stand in a row with one line feed between two: brat, JSON lines, PubTator and BioC
 * that is made anew therefore agree on every offset.
 */
import type { BiocDocument } from './bioc_schema.js'

/** `[start, end)` in UTF-16 units of the passage. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Something said of a stretch of a passage, or of several (a discontinuous mention). */
export interface Annotation {
  readonly type: string
  readonly spans: readonly Span[]
  /** As its file has it; predicted ones have none until a format gives it. */
  readonly id?: string
  /** In [0, 1]. */
  readonly score?: number
}

/** A label of the whole document. */
export interface Label {
  readonly label: string
  /** Whether it applies; every label of the model is listed. */
  readonly applies: boolean
  readonly probability: number
}

export interface Passage {
  readonly text: string
  /** `title`, `abstract` or whatever the input calls it. */
  readonly type?: string
  /** What the input says of it. */
  readonly given: readonly Annotation[]
}

/** What only its own format understands of a document, kept so that it is written back as it came. */
export type Kept =
  | { readonly format: 'bioc'; readonly document: BiocDocument }
  | { readonly format: 'pubtator'; readonly mentions: readonly string[]; readonly rest: readonly string[] }
  | { readonly format: 'jsonl'; readonly object: Readonly<Record<string, unknown>> }

export interface TextDocument {
  readonly id?: string
  readonly passages: readonly Passage[]
  readonly kept?: Kept
}

/** A document and what a model says of it; `found[p]` stands in passage p. */
export interface AnnotatedDocument extends TextDocument {
  readonly found: readonly (readonly Annotation[])[]
  readonly labels?: readonly Label[]
}

/** What stands between two passages of a document that is one text. */
export const BETWEEN = '\n'

export function documentText({ passages }: Pick<TextDocument, 'passages'>): string {
  return passages.map(({ text }) => text).join(BETWEEN)
}

/** Where in `documentText` each passage begins, in UTF-16 units. */
export function passageStarts({ passages }: Pick<TextDocument, 'passages'>): number[] {
  let at = 0
  return passages.map(({ text }) => {
    const start = at
    at += text.length + BETWEEN.length
    return start
  })
}

/** Annotations of all passages with spans in `documentText`; what is given stands before what is found, each in order of place. */
export function documentAnnotations(document: AnnotatedDocument): {
  readonly given: Annotation[]
  readonly found: Annotation[]
} {
  const starts = passageStarts(document)
  const moved = (lists: readonly (readonly Annotation[])[]) =>
    lists.flatMap((list, p) =>
      list.map((one) => ({
        ...one,
        spans: one.spans.map(({ start, end }) => ({ start: start + starts[p], end: end + starts[p] })),
      })),
    )
  return { given: moved(document.passages.map(({ given }) => given)), found: moved(document.found) }
}

/** What an annotation stands on; the stretches of a discontinuous one with a space between. */
export function annotatedText(text: string, { spans }: Pick<Annotation, 'spans'>): string {
  return spans.map(({ start, end }) => text.slice(start, end)).join(' ')
}
