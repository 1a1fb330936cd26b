/**
 * Prediction over a stream of documents: several in flight so that batches are full, read while the device computes, answered in
 * the order in which they came. What is taken together depends on the documents alone, and so do the bits of the answers. A
 * document that fails is told in its place and stops nothing.
 */
import {
  type Annotation,
  documentText,
  type Label,
  type TextDocument,
} from '../../data/documents/document.js'
import { type DocumentFormat, type Fault, LONGEST_TEXT } from '../../data/documents/format.js'
import type { Located } from '../../data/documents/read.js'
import { InputError } from '../../error.js'
import type { Findings, Task, TaskContext } from '../../tasks/task.js'
import { evaluateLines } from './model.js'
import type { Predictor } from './predictor.js'

/** Documents (and faults) of a batch, at most, and the characters that end it earlier. */
const DOCUMENTS = 256
const CHARACTERS = 1 << 19

/** A text that was given to the task, and its answers. */
export interface AnsweredText {
  readonly text: string
  readonly items: readonly unknown[]
  readonly answers: readonly unknown[]
}

interface Place {
  readonly file: string
  readonly format: DocumentFormat
  readonly around?: Readonly<Record<string, unknown>>
}

export type Predicted =
  | (Place & {
      readonly kind: 'document'
      readonly document: TextDocument
      readonly line?: number
      /** One a passage, or one in all, as the task takes them; each with what was found. */
      readonly texts: readonly AnsweredText[]
      readonly found: readonly (readonly Annotation[])[]
      readonly labels?: readonly Label[]
    })
  | (Place & { readonly kind: 'fault'; readonly fault: Fault })

export interface DocumentPrediction {
  readonly predictor: Predictor
  readonly task: Task
  readonly context: TaskContext
  /** The type of entities whose labels have none. */
  readonly entity: string
  /** Records that another run has behind it: whole batches. They are read, and that is all. */
  readonly skip?: number
  readonly onSkipped?: (read: Located) => void
}

/** A batch at a time. */
export async function* predictDocuments(
  reads: AsyncIterable<Located>,
  options: DocumentPrediction,
): AsyncGenerator<Predicted[]> {
  const batches = batchesOf(reads, options)
  let next = batches.next()
  for (;;) {
    const { value, done } = await next
    if (done) return
    // read on while this one is computed; what goes wrong is met when its turn comes
    next = batches.next()
    next.catch(() => {})
    yield await answered(value, options)
  }
}

interface Prepared {
  readonly read: Located
  readonly texts: readonly { text: string; items: readonly unknown[] }[]
  readonly fault?: Fault
}

async function* batchesOf(
  reads: AsyncIterable<Located>,
  options: DocumentPrediction,
): AsyncGenerator<Prepared[]> {
  let skip = options.skip ?? 0
  let batch: Prepared[] = []
  let characters = 0
  for await (const read of reads) {
    if (skip > 0) {
      skip--
      options.onSkipped?.(read)
      continue
    }
    const prepared = prepare(read, options)
    batch.push(prepared)
    for (const { text } of prepared.texts) characters += text.length
    if (batch.length < DOCUMENTS && characters < CHARACTERS) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}

function prepare(read: Located, { task, context }: DocumentPrediction): Prepared {
  if (read.kind === 'fault') return { read, texts: [], fault: read.fault }
  const { document, file, line } = read
  const texts =
    task.documents?.takes === 'documents'
      ? [documentText(document)]
      : document.passages.map(({ text }) => text)
  const length = texts.reduce((sum, text) => sum + text.length, 0)
  if (length > LONGEST_TEXT) {
    const found = `a text of ${length} characters`
    return { read, texts: [], fault: { line, id: document.id, found, expected: `${LONGEST_TEXT} at most` } }
  }
  const place = { file, line: line ?? 1 }
  try {
    return { read, texts: texts.map((text) => ({ text, items: task.parse(text, place, context) })) }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const { found, expected } = error.complaint
    return { read, texts: [], fault: { line, found, expected } }
  }
}

async function answered(batch: readonly Prepared[], options: DocumentPrediction): Promise<Predicted[]> {
  const { predictor, task, context } = options
  const texts = batch.flatMap(({ texts }) => texts)
  const answers = await evaluateLines(
    predictor,
    task,
    texts.map(({ items }) => items),
    context,
  )
  let next = 0
  return batch.map(({ read, texts, fault }) => {
    const place = { file: read.file, format: read.format, around: read.around }
    if (read.kind === 'fault' || fault !== undefined)
      return { kind: 'fault', ...place, fault: fault ?? NO_FAULT }
    const own = texts.map((one) => ({ ...one, answers: answers[next++] }))
    const { document, line } = read
    return { kind: 'document', ...place, document, line, texts: own, ...findings(document, own, options) }
  })
}

const NO_FAULT: Fault = { found: 'a document that cannot be read', expected: 'another' }

function findings(
  { passages }: TextDocument,
  texts: readonly AnsweredText[],
  { task, context, entity }: DocumentPrediction,
): { found: Annotation[][]; labels?: readonly Label[] } {
  const none = passages.map((): Annotation[] => [])
  if (task.documents === undefined) return { found: none }
  const { annotate } = task.documents
  const options = { entity, labels: context.labels }
  const all = texts.map(({ text, items, answers }): Findings => annotate(text, items, answers, options))
  const labels = all.flatMap(({ labels }) => labels ?? [])
  if (all.some(({ labels }) => labels !== undefined)) return { found: none, labels }
  return { found: all.map(({ entities = [] }) => entities.map(annotationOf)) }
}

function annotationOf({
  start,
  end,
  type,
  score,
}: {
  start: number
  end: number
  type: string
  score?: number
}): Annotation {
  return { type, spans: [{ start, end }], ...(score !== undefined && { score }) }
}
