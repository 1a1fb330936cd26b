/**
 * What `predict` writes: a task's own print of every text (text, CoNLL, JSON lines of lines), a format of documents, or the page.
 * All of them as one kind of writer that takes predictions.
 */
import { basename } from 'node:path'
import type { NamedText } from '../data/documents/format.js'
import { documentFormats, formatNamed } from '../data/documents/index.js'
import type { Counting } from '../data/documents/offsets.js'
import type { Located } from '../data/documents/read.js'
import { UsageError } from '../error.js'
import { documentsPage } from '../report/documents_page.js'
import { printable } from '../tasks/shared/printable.js'
import type { Task } from '../tasks/task.js'
import type { Predicted } from '../training/finetuning/documents.js'

export type PredictedDocument = Extract<Predicted, { kind: 'document' }>

export interface PredictionWriter {
  head(around?: Readonly<Record<string, unknown>>): string
  passed?(read: Located): void
  document(predicted: PredictedDocument): string | readonly NamedText[]
  foot(): string
  /** It writes a folder of files. */
  readonly folder: boolean
}

export interface WriterWishes {
  readonly task: Task
  readonly labels: readonly string[]
  readonly format: string
  readonly colour: boolean
  readonly entity: string
  readonly counting: Counting
  readonly replace: boolean
  /** Folder of the model, for a title. */
  readonly model: string
}

const PAGE = 'html'

/** What a task can be written as: what it prints itself, and where it takes documents what can say its findings. */
export function formatsOf({ formats, documents }: Task): string[] {
  if (documents === undefined) return [...formats]
  const more = documentFormats
    .filter(({ writer, labels }) => writer !== undefined && (documents.takes === 'passages' || labels))
    .map(({ name }) => name)
  const page = documents.takes === 'passages' ? [PAGE] : []
  return [...new Set([...formats, ...more, ...page])]
}

/** By the ending of a file that is to be written. */
export function formatOfFile(out: string): string | undefined {
  if (/\.html?$/i.test(out)) return PAGE
  if (/\.conll$/i.test(out)) return 'conll'
  if (/\.txt$/i.test(out)) return 'text'
  return documentFormats.find(({ extension }) => extension !== '' && out.toLowerCase().endsWith(extension))
    ?.name
}

export function openWriter(wishes: WriterWishes): PredictionWriter {
  const { task, format, counting, replace } = wishes
  if (!formatsOf(task).includes(format))
    throw new UsageError(`--format is ${format} (want one of ${formatsOf(task).join(', ')} for ${task.name})`)
  if (format === PAGE) return pageWriter(wishes)
  const own = formatNamed(format)
  const documents = own?.writer?.({ counting, replace })
  const prints = task.formats.includes(format) ? printer(wishes) : undefined
  if (prints !== undefined && documents === undefined)
    return { head: () => '', document: prints, foot: () => '', folder: false }
  if (documents === undefined) throw new Error(`${format} has no writer`)
  return {
    head: (around) => documents.head(around),
    passed(read) {
      if (read.kind === 'document') documents.passed?.(read.document)
    },
    document(predicted) {
      // a line of text has neither an id nor passages: it is printed as it always was
      if (prints !== undefined && predicted.format.name === 'text') return prints(predicted)
      const { document, found, labels } = predicted
      return documents.document({ ...document, found, ...(labels !== undefined && { labels }) })
    },
    foot: () => documents.foot(),
    folder: own?.folder ?? false,
  }
}

/** Texts as the task prints them; a document with an id under a line that names it. */
function printer({ task, format, colour, entity }: WriterWishes): (predicted: PredictedDocument) => string {
  const print = task.printer({ format, colour, entity })
  return ({ document: { id }, texts }) => {
    const printed = texts.map(({ text, items, answers }) => print(text, items, answers)).join('')
    return id === undefined || format !== 'text' ? printed : `# ${printable(id)}\n${printed}\n`
  }
}

function pageWriter({ labels, entity, model, replace }: WriterWishes): PredictionWriter {
  const types = [...new Set(labels.filter((label) => label !== 'O').map((label) => label.slice(2) || entity))]
  const page = documentsPage({ title: `Entities found by ${basename(model)}`, types, replace })
  return {
    head: () => page.head(),
    document: ({ document, found }) => page.document({ ...document, found }),
    foot: () => page.foot(),
    folder: false,
  }
}
