/**
 * Documents with any number of labels, as a table (`index`, `text`, `labels`: names with commas between, empty where none applies) or
 * JSON lines with these keys. Hallmarks of Cancer comes whole and by sentence (`train_sentences.tsv`, index `<document>_s<n>`); BLUE's
 * labels say of every name whether it applies (`name_0,name_1`). Where each document has exactly one label it is a choice among
 * classes. The labels are those of the training part.
 */
import { quote } from '../../data/files/text.js'
import { InputError } from '../../error.js'
import { counted, readParts } from '../shared/parts.js'
import { filled, type LabelledRecord, type RecordForm, readRecords } from '../shared/records.js'
import type { DataSet, ReadOptions, Split } from '../task.js'

/** A document, or a sentence of one. */
export interface DocumentText {
  /** What the file calls it. */
  readonly index?: string
  /** The document that a sentence is of; absent of a whole one. */
  readonly document?: string
  readonly text: string
  readonly labels?: readonly string[]
  /** From 1. */
  readonly line: number
}

/** Whole documents, their sentences, or documents with exactly one label each. */
export const FORMS = ['document', 'sentence', 'single'] as const

/** A data set and the form that it turned out to have. */
export interface DocumentSet extends DataSet<DocumentText> {
  readonly form: string
}

type Field = 'index' | 'text' | 'labels'

const SENTENCES = '_sentences'
const SENTENCE_INDEX = /^(.+)_s\d+$/
const RECORDS: RecordForm<Field> = {
  names: {
    index: ['index', 'id', 'pmid'],
    text: ['text', 'sentence', 'document', 'abstract'],
    labels: ['labels', 'label'],
  },
  optional: ['index'],
  bare: { 2: ['text', 'labels'], 3: ['index', 'text', 'labels'] },
  expected: 'index, text and labels (names with commas between) in columns, or JSON lines with these keys',
}

export function readDocuments(file: string, form: string): DocumentText[] {
  const records = readRecords(file, RECORDS)
  const lists = records.map(({ fields }) => names(fields.labels ?? ''))
  const marked = saysOfEach(lists)
  return records.map((record, i) => {
    const { index } = record.fields
    const labels = marked ? lists[i].filter((name) => name.endsWith('_1')).map(bare) : lists[i]
    checkList(labels, form, record, file)
    return {
      ...(index === undefined ? {} : { index }),
      ...(form === 'sentence' ? { document: documentOf(index, file, record.line) } : {}),
      text: filled(record, 'text', file),
      labels,
      line: record.line,
    }
  })
}

/** Reads a folder; data in the form `document` with exactly one label each turn out to be of the form `single`. */
export function readDocumentFolder(folder: string, { form, fold, seed }: ReadOptions): DocumentSet {
  const sentences = form === 'sentence'
  const unit = sentences ? 'sentences' : 'documents'
  const parts = readParts(
    folder,
    { fold, seed, ...(sentences ? { suffix: SENTENCES } : { skip: new RegExp(`${SENTENCES}$`) }) },
    (file) => readDocuments(file, form),
    // sentences of one document stay together
    ({ document, text, labels }) => ({
      text: document ?? text,
      label: sentences ? '' : (labels ?? []).join(','),
    }),
    unit,
  )
  const splits = [parts.train, parts.dev, parts.test]
  const single = form === 'single' || (form === 'document' && splits.every(hasOneEach))
  const labels = [...new Set(parts.train.items.flatMap((item) => item.labels ?? []))].sort()
  const least = single ? 2 : 1
  if (labels.length < least)
    throw new InputError({
      file: parts.train.path,
      found: labels.length === 0 ? 'no label' : `one label alone (${labels[0]})`,
      expected: least === 2 ? 'two or more' : 'labels',
    })
  for (const split of splits) checkKnown(split, labels, `a label of ${parts.train.path}`)
  const unlabelled = splits.map(({ items }) => items.filter((item) => item.labels?.length === 0).length)
  return {
    train: parts.train,
    dev: parts.dev,
    test: parts.test,
    labels,
    form: single ? 'single' : form,
    notes: [...parts.notes, ...labelNotes(labels, single, unlabelled, unit)],
    facts: {
      ...parts.facts,
      form: single ? 'single' : form,
      without_label: { train: unlabelled[0], dev: unlabelled[1], test: unlabelled[2] },
    },
  }
}

/** Throws an InputError for the first label that is none of `labels`. */
export function checkKnown(
  { path, items }: Split<DocumentText>,
  labels: readonly string[],
  expected: string,
): void {
  const known = new Set(labels)
  for (const item of items) {
    const stray = item.labels?.find((label) => !known.has(label))
    if (stray === undefined) continue
    throw new InputError({
      file: path,
      line: item.line,
      found: `label ${JSON.stringify(stray)}`,
      expected: `${expected} (${labels.join(', ')})`,
    })
  }
}

function labelNotes(
  labels: readonly string[],
  single: boolean,
  unlabelled: number[],
  unit: string,
): string[] {
  if (single)
    return [
      `every document has exactly one of ${labels.length} labels (form single: a choice, whose micro F1 is the accuracy)`,
    ]
  const [train, dev, test] = unlabelled.map(counted)
  return [
    `${labels.length} labels, any number for each; without one: ${train} training, ${dev} dev and ${test} test ${unit}`,
  ]
}

function hasOneEach({ items }: Split<DocumentText>): boolean {
  return items.every(({ labels }) => labels?.length === 1)
}

/** Names with commas between them. */
function names(cell: string): string[] {
  return cell
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** Whether all rows say of the same names, by 0 or 1, whether they apply. */
function saysOfEach(lists: readonly (readonly string[])[]): boolean {
  const all = lists[0].map(bare).join()
  return lists.every(
    (list) => list.length > 1 && list.every((name) => /._[01]$/.test(name)) && list.map(bare).join() === all,
  )
}

function bare(name: string): string {
  return name.slice(0, -2)
}

function checkList(
  labels: readonly string[],
  form: string,
  { line, fields }: LabelledRecord<Field>,
  file: string,
): void {
  if (new Set(labels).size !== labels.length)
    throw new InputError({
      file,
      line,
      found: `labels ${quote(fields.labels ?? '')}`,
      expected: 'each label once',
    })
  if (form === 'single' && labels.length !== 1)
    throw new InputError({
      file,
      line,
      found: labels.length === 0 ? 'no label' : `labels ${quote(fields.labels ?? '')}`,
      expected: 'exactly one label for the form single',
    })
}

function documentOf(index: string | undefined, file: string, line: number): string {
  const match = SENTENCE_INDEX.exec(index ?? '')
  if (match !== null) return match[1]
  throw new InputError({
    file,
    line,
    found: index === undefined ? 'no index' : `index ${quote(index)}`,
    expected: '<document>_s<number> for the form sentence',
  })
}
