/**
 * BioC's documents in the shape of its JSON, which its XML is read into and written from: passages (or their sentences) with an
 * offset in the document, annotations with locations in it, relations, infons. All that is there is kept; what a model finds is
 * added to the passage or sentence that it stands in, under ids of its own (P1, P2, ...).
 * Offsets: the DTD says bytes of UTF-8, NCBI's services count Unicode code points and so does most software; code points
 * unless said otherwise. Where annotations of the input fit bytes alone, the document is refused.
 */

import { quote } from '../files/text.js'
import {
  type BiocAnnotation,
  type BiocDocument,
  type BiocPassage,
  type BiocSentence,
  biocSchema,
} from './bioc_schema.js'
import {
  type AnnotatedDocument,
  type Annotation,
  annotatedText,
  type Label,
  type Passage,
  type TextDocument,
} from './document.js'
import { Unwritable } from './format.js'
import { type Counting, counter } from './offsets.js'

type Owner = BiocPassage | BiocSentence

/** A BioC document, or why it is none. */
export function checkBioc(value: unknown): { document: BiocDocument } | { found: string; expected: string } {
  const { success, error } = biocSchema.safeParse(value)
  // as it came: the schema's own copy has its keys in another order
  if (success) return { document: value as BiocDocument }
  const { path } = error.issues[0]
  let wrong = value
  for (const key of path) wrong = (wrong as Record<PropertyKey, unknown> | undefined)?.[key]
  const found = (JSON.stringify(wrong) ?? 'nothing').slice(0, 60)
  return {
    found: path.length === 0 ? found : `${found} at ${path.join('.')}`,
    expected: 'a BioC document: id, passages with offset and text',
  }
}

/** What holds text, in order: passages, or the sentences of those that have no text of their own. */
function owners({ passages }: BiocDocument): { owner: Owner; text: string; type?: string }[] {
  return passages.flatMap((passage): { owner: Owner; text: string; type?: string }[] => {
    const name = passage.infons?.type ?? passage.infons?.section_type
    const type = typeof name === 'string' ? { type: name } : {}
    if (typeof passage.text === 'string') return [{ owner: passage, text: passage.text, ...type }]
    return (passage.sentences ?? []).flatMap((sentence) =>
      typeof sentence.text === 'string' ? [{ owner: sentence, text: sentence.text, ...type }] : [],
    )
  })
}

/** The document as text and annotations, or why it contradicts itself. */
export function fromBioc(
  document: BiocDocument,
  counting: Counting,
): { document: TextDocument } | { found: string; expected: string } {
  const units = owners(document)
  const passages: Passage[] = []
  for (const { owner, text, type } of units) {
    const given: Annotation[] = []
    const count = counter(text, counting)
    // in plain ASCII there is no other counting
    const otherCount = /[\u0080-\uffff]/.test(text) ? counter(text, other(counting)) : undefined
    const stands = (one: BiocAnnotation, read: Annotation | undefined) =>
      read !== undefined && annotatedText(text, read) === one.text
    for (const one of owner.annotations ?? []) {
      const read = annotationOf(one, owner.offset, count)
      if (
        otherCount &&
        one.text &&
        !stands(one, read) &&
        stands(one, annotationOf(one, owner.offset, otherCount))
      )
        return {
          found: `annotation ${one.id ?? '?'} ${quote(one.text ?? '')}, which stands where its offset says only in ${other(counting)}`,
          expected: `offsets in ${counting} (see --bioc-offsets)`,
        }
      if (read !== undefined) given.push(read)
    }
    passages.push({ text, given, ...(type !== undefined && { type }) })
  }
  const id = document.id === undefined || document.id === null ? {} : { id: String(document.id) }
  return { document: { ...id, passages, kept: { format: 'bioc', document } } }
}

const other = (counting: Counting): Counting => (counting === 'bytes' ? 'characters' : 'bytes')

/** Undefined for one without locations or with some outside of its passage; it is kept, but formats other than BioC cannot say it. */
function annotationOf(
  { id, infons, locations }: BiocAnnotation,
  before: number,
  count: ReturnType<typeof counter>,
): Annotation | undefined {
  if (!locations?.length) return undefined
  const spans = []
  for (const { offset, length } of locations) {
    const [start, end] = [count.units(offset - before), count.units(offset - before + length)]
    if (start === undefined || end === undefined) return undefined
    spans.push({ start, end })
  }
  spans.sort((a, b) => a.start - b.start)
  const type = typeof infons?.type === 'string' ? infons.type : 'ENTITY'
  return { type, spans, ...(id !== undefined && id !== null && { id: String(id) }) }
}

export interface BiocOptions {
  readonly counting: Counting
  readonly replace: boolean
}

/** A document with what was found in it: the one that was read, or one made anew. */
export function toBioc(document: AnnotatedDocument, options: BiocOptions): BiocDocument {
  const { kept, found, labels } = document
  const base = kept?.format === 'bioc' ? kept.document : fresh(document, options.counting)
  const bare = options.replace ? withoutEntities(base) : base
  const added = withFound(bare, found, options.counting)
  return labels === undefined ? added : { ...added, infons: { ...added.infons, ...labelInfons(labels) } }
}

/** Passages in a row, one character between two; what the input says of them as annotations. */
function fresh({ id, passages }: AnnotatedDocument, counting: Counting): BiocDocument {
  let at = 0
  let annotations = 0
  return {
    id: id ?? '',
    infons: {},
    passages: passages.map(({ text, type, given }) => {
      const count = counter(text, counting)
      const passage: BiocPassage = {
        offset: at,
        infons: type === undefined ? {} : { type },
        text,
        sentences: [],
        annotations: given.map((one) => biocAnnotation(one, one.id ?? `T${++annotations}`, text, at, count)),
        relations: [],
      }
      at += count.length + 1
      return passage
    }),
    relations: [],
  }
}

function biocAnnotation(
  { type, spans, score }: Annotation,
  id: string,
  text: string,
  before: number,
  count: ReturnType<typeof counter>,
): BiocAnnotation {
  return {
    id,
    infons: { type, ...(score !== undefined && { score: score.toFixed(4) }) },
    text: annotatedText(text, { spans }),
    locations: spans.map(({ start, end }) => ({
      offset: before + count.at(start),
      length: count.at(end) - count.at(start),
    })),
  }
}

function withFound(
  document: BiocDocument,
  found: readonly (readonly Annotation[])[],
  counting: Counting,
): BiocDocument {
  const units = owners(document)
  if (units.length !== found.length)
    throw new Error(`bioc: answers for ${found.length} of ${units.length} passages`)
  const used = idsOf(document)
  let next = 0
  const newId = () => {
    do next++
    while (used.has(`P${next}`))
    return `P${next}`
  }
  const added = new Map<Owner, BiocAnnotation[]>()
  for (const [i, { owner, text }] of units.entries()) {
    const count = counter(text, counting)
    const more = found[i].map((one) => biocAnnotation(one, newId(), text, owner.offset, count))
    added.set(owner, [...(owner.annotations ?? []), ...more])
  }
  const complete = <O extends Owner>(owner: O): O => {
    const annotations = added.get(owner)
    return annotations === undefined ? owner : { ...owner, annotations }
  }
  return {
    ...document,
    passages: document.passages.map((passage) => ({
      ...complete(passage),
      ...(passage.sentences && { sentences: passage.sentences.map(complete) }),
    })),
  }
}

function idsOf(document: BiocDocument): Set<string> {
  const all = [
    document,
    ...document.passages,
    ...document.passages.flatMap(({ sentences }) => sentences ?? []),
  ]
  return new Set(
    all
      .flatMap(({ annotations, relations }) => [...(annotations ?? []), ...(relations ?? [])])
      .map(({ id }) => String(id)),
  )
}

/** Without annotations, and without the relations that name one of them. */
function withoutEntities(document: BiocDocument): BiocDocument {
  const bare = <T extends BiocDocument | Owner>(owner: T): T => ({
    ...owner,
    ...(owner.annotations && { annotations: [] }),
    ...(owner.relations && { relations: owner.relations.filter(({ nodes }) => !nodes?.length) }),
  })
  return {
    ...bare(document),
    passages: document.passages.map((passage) => ({
      ...bare(passage),
      ...(passage.sentences && { sentences: passage.sentences.map(bare) }),
    })),
  }
}

function labelInfons(labels: readonly Label[]): Record<string, string> {
  const applying = labels.filter(({ applies }) => applies).map(({ label }) => label)
  const all = labels.map(({ label, probability }) => `${label}=${probability.toFixed(4)}`)
  return { labels: applying.join(','), probabilities: all.join(',') }
}

/** What surrounds the documents of a collection, in the order of the DTD. */
export function collectionFields(around: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const { source = '', date = '', key = '', infons = {}, documents: _, ...rest } = around
  return { source, date, key, infons, ...rest }
}

/** Refuses what a document cannot be called. */
export function checkId({ id }: TextDocument): void {
  if (id !== undefined && id.length > 1000)
    throw new Unwritable(`an id of ${id.length} characters`, '1000 at most')
}
