/**
 * Sentences with the relation of one marked pair, as they are released: BLUE and BLURB (`index`, `sentence`, `label` under a header),
 * BioBERT (the same, or `sentence<TAB>label` without a header), JSON lines (`text`, `label`). Folders hold train, dev and test
 * files, or folds (`1/test.tsv` ... `10/test.tsv`). The labels are those of the training part.
 */
import { InputError } from '../../error.js'
import { checkLabels, type Labelled } from '../shared/class_answers.js'
import { counted, readParts } from '../shared/parts.js'
import { filled, type RecordForm, readRecords } from '../shared/records.js'
import type { DataSet, ReadOptions, Split } from '../task.js'
import { hasMarks, showsPair } from './marking.js'
import { negativeLabels, orderedLabels } from './negative.js'

/** A sentence as it stands in its file; examples have it in one of the forms. */
export interface RelationSentence extends Labelled {
  readonly text: string
}

const RECORDS: RecordForm<'index' | 'sentence' | 'label'> = {
  names: {
    index: ['index', 'id'],
    sentence: ['sentence', 'text'],
    label: ['label', 'relation'],
  },
  optional: ['index'],
  bare: { 2: ['sentence', 'label'], 3: ['index', 'sentence', 'label'] },
  expected:
    'index, sentence and label, or sentence and label, with tabs between them, or JSON lines with text and label',
}

/** The sentences of a file, each with a label. */
export function readRelations(file: string, form: string): RelationSentence[] {
  return readRecords(file, RECORDS).map((record) => {
    const { line, fields } = record
    const text = filled(record, 'sentence', file)
    if (form === 'markers' && !hasMarks(text))
      throw new InputError({
        file,
        line,
        found: 'a sentence whose pair is not marked',
        expected: 'mentions between << >> and [[ ]] for the form markers (or another form)',
      })
    const label = filled(record, 'label', file).trim()
    return { ...(fields.index === undefined ? {} : { index: fields.index }), text, label, line }
  })
}

export function readRelationFolder(
  folder: string,
  { form, fold, seed }: ReadOptions,
): DataSet<RelationSentence> {
  const parts = readParts(
    folder,
    { fold, seed },
    (file) => readRelations(file, form),
    ({ text, label }) => ({ text, label: label as string }),
    'sentences',
  )
  const { train, dev, test } = parts
  const labels = orderedLabels(train.items.map(({ label }) => label as string))
  if (labels.length < 2)
    throw new InputError({
      file: train.path,
      found: `one label alone (${labels[0]})`,
      expected: 'two or more',
    })
  for (const { path, items } of [dev, test]) checkLabels(path, items, labels, `a label of ${train.path}`)
  const notes = [...parts.notes, ...pairNotes([train, dev, test]), whatCounts(labels)]
  const negative = negativeLabels(labels)
  const facts = {
    ...parts.facts,
    negative,
    positive: labels.filter((label) => !negative.includes(label)),
  }
  return { train, dev, test, labels, notes, facts }
}

/** What micro F1 counts, in words. */
export function whatCounts(labels: readonly string[]): string {
  const negative = negativeLabels(labels)
  if (negative.length === 0)
    return `no negative label: micro F1 counts all ${labels.length} and is the accuracy`
  const rest = labels.length - negative.length
  const positive = labels.filter((label) => !negative.includes(label))
  const others = rest === 1 ? `${positive[0]} alone` : `the other ${rest} (${positive.join(', ')})`
  return `negative label ${negative.join(', ')}: micro F1 counts ${others}`
}

function pairNotes(splits: readonly Split<RelationSentence>[]): string[] {
  const items = splits.flatMap((split) => split.items)
  const hidden = items.filter(({ text }) => !showsPair(text)).length
  if (hidden === 0) return []
  return [
    `${counted(hidden)} of ${counted(items.length)} sentences show neither placeholder nor marked mention`,
  ]
}
