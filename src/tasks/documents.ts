/**
 * Documents: which of K labels a text has, `[CLS] text [SEP]`. Any number of labels (Hallmarks of Cancer): a probability for each,
 * and a threshold for each chosen on dev. Exactly one (form `single`): a choice among classes. Scored by micro F1 over documents.
 *
 *   label k applies where 1 / (1 + exp(-x_k)) >= t_k, t_k that of the best F1 on dev (0.5 where dev tells nothing)
 *
 * In the form `sentence` the items are sentences, and the documents' labels those of all of their sentences: a document has label
 * k where its largest probability reaches t_k, which is what the thresholds are chosen by.
 */
import { splitSentences } from '../data/corpus/sentences.js'
import { UserError } from '../error.js'
import { classHead, labelHead } from '../model/sequence_classification.js'
import {
  checkKnown,
  type DocumentText,
  FORMS,
  readDocumentFolder,
  readDocuments,
} from './documents/reader.js'
import {
  type DocumentAnswer,
  type DocumentScores,
  documentItems,
  documentScores,
  documentTallies,
  joinAnswers,
  unionRows,
} from './documents/scores.js'
import { chooseThresholds } from './metrics/multilabel.js'
import { f1OfTally } from './metrics/tally.js'
import { checkClasses, decodeClasses, percent, strong, tsvText } from './shared/class_answers.js'
import { printable } from './shared/printable.js'
import { publishedSettings } from './shared/published_settings.js'
import { rowsOf, sequences } from './shared/sequences.js'
import type { Task, TaskContext } from './task.js'

export const documents: Task<DocumentText, DocumentAnswer> = {
  name: 'documents',
  alias: 'doc',
  summary: 'documents: the labels of a text, any number or exactly one',
  data: 'train, dev and test tables with columns index, text and labels (names with commas between); for the form sentence train_sentences.tsv ..., index <document>_s<n>',
  unit: 'documents',
  forms: FORMS,
  metric: 'f1',
  // Hallmarks of Cancer's values of LinkBERT's script
  settings: publishedSettings({ learningRate: 4e-5, batch: 32, maxLength: 512, epochs: 40 }),
  // abstracts of Hallmarks of Cancer have 390 of ALBERT's pieces on average: the papers' 128 cut all but 4 of the 1,303 for
  // training, 512 cut 162
  maxLength: 512,
  usualLabels: [
    'activating invasion and metastasis',
    'avoiding immune destruction',
    'cellular energetics',
    'enabling replicative immortality',
    'evading growth suppressors',
    'genomic instability and mutation',
    'inducing angiogenesis',
    'resisting cell death',
    'sustaining proliferative signaling',
    'tumor promoting inflammation',
  ],

  read: readDocumentFolder,
  readFile(path, { form, labels }) {
    const split = { path, items: readDocuments(path, form) }
    checkKnown(split, labels, 'a label of the model')
    return split
  },
  head(labels, form) {
    if (!(FORMS as readonly string[]).includes(form))
      throw new UserError(`form ${form}: expected ${FORMS.join(', ')} for documents`)
    if (form === 'single') checkClasses(labels, 'documents with one label each')
    else if (labels.length === 0 || new Set(labels).size !== labels.length)
      throw new UserError(`labels ${labels.join(', ')}: expected different ones for a model of documents`)
    return form === 'single' ? classHead : labelHead
  },
  examples: (items, context, training) =>
    sequences(
      items,
      ({ text }) => [text],
      (item) => targets(item, context),
      context,
      training,
    ),
  fit(items, examples, logits, { form, labels }) {
    if (form === 'single') return {}
    const rows = rowsOf(items.length, examples, logits).map(sigmoids)
    const groups = documentItems(items)
    const gold = unionRows(groups, (i) => items[i].labels ?? [], labels)
    const largest = groups.map((group) => labels.map((_, k) => Math.max(...group.map((i) => rows[i][k]))))
    return { thresholds: chooseThresholds(largest, gold, labels.length) }
  },
  decode(items, examples, logits, { form, labels, fitted }) {
    if (form === 'single')
      return decodeClasses(items.length, examples, logits, labels).map(({ label, probabilities }) => ({
        labels: [label],
        probabilities,
        single: true,
      }))
    const limits = thresholds(fitted.thresholds, labels)
    return rowsOf(items.length, examples, logits).map((row) => {
      if (row.length !== labels.length)
        throw new Error(`${row.length} logits for the ${labels.length} labels ${labels.join(', ')}`)
      const probabilities = sigmoids(row)
      const found = labels.filter((_, k) => probabilities[k] >= limits[k])
      return { labels: found, probabilities, single: false }
    })
  },
  score: documentScores,
  tally: documentTallies,
  rate: f1OfTally,
  rows(columns) {
    const scores = columns as readonly DocumentScores[]
    const row = (name: string, value: (scores: DocumentScores) => number) => [
      name,
      ...scores.map((one) => percent(value(one))),
    ]
    const classes = scores[0].labels.map((label) => row(`  F1 of ${label}`, (s) => s.classes[label]?.f1 ?? 0))
    const number = (name: string, value: (scores: DocumentScores) => number) => [
      name,
      ...scores.map((one) => value(one).toLocaleString('en-US')),
    ]
    if (scores.every(({ single }) => single))
      return [
        row('accuracy (the micro F1 of one label each)', (s) => s.accuracy),
        row('macro F1', (s) => s.macro_f1),
        ...classes,
        number('documents scored', (s) => s.documents),
      ]
    return [
      row('micro precision, all documents', (s) => s.precision),
      row('micro recall', (s) => s.recall),
      row('micro F1', (s) => s.f1),
      row('macro F1 (mean over labels)', (s) => s.macro_f1),
      row('example-based F1 (documents with a label, as BLUE)', (s) => s.example_f1),
      row('example-based F1, all documents', (s) => s.example_f1_all),
      row('micro F1 of documents with a label', (s) => s.labelled_only.f1),
      row('all labels right', (s) => s.accuracy),
      ...classes,
      number('documents scored', (s) => s.documents),
      number('of them with a label', (s) => s.labelled_only.documents),
    ]
  },
  short(scores) {
    const { precision, recall, f1, accuracy, macro_f1, single } = scores as DocumentScores
    if (single) return `accuracy ${percent(accuracy)} macro F1 ${percent(macro_f1)}`
    return `P ${percent(precision)} R ${percent(recall)} F1 ${percent(f1)}`
  },
  collapsed(scores) {
    const { always } = scores as DocumentScores
    if (always === null) return undefined
    return always.length === 0 ? 'predicted no label' : `predicted ${always.join(', ')} for every document`
  },
  predictions: (items, answers, { labels }) => ({
    extension: 'tsv',
    text: tsvText([
      ['index', 'gold', 'predicted', ...labels.map((label) => `p(${label})`), 'text'],
      ...items.map(({ index, labels: gold, text }, i) => [
        index ?? String(i + 1),
        (gold ?? []).join(','),
        answers[i].labels.join(','),
        ...answers[i].probabilities.map((p) => p.toFixed(4)),
        text,
      ]),
    ]),
  }),

  input: 'a document (split into sentences for a model of the form sentence)',
  formats: ['text', 'jsonl'],
  // a model of sentences is asked sentence by sentence and answers for all of them, as it was scored
  parse(text, { line }, context) {
    if (context?.form !== 'sentence') return text.trim() === '' ? [] : [{ text, line }]
    return splitSentences(text).map((sentence) => ({ text: sentence, document: `line ${line}`, line }))
  },
  printer:
    ({ format, colour }) =>
    (line, items, answers) => {
      const answer = joinAnswers(answers)
      if (format === 'jsonl')
        return `${JSON.stringify({
          text: line,
          labels: answer?.labels ?? null,
          probabilities: answer && rounded(answer),
          ...(items.some(({ document }) => document !== undefined) && {
            sentences: items.map(({ text }, i) => ({
              text,
              labels: answers[i].labels,
              probabilities: rounded(answers[i]),
            })),
          }),
        })}\n`
      if (answer === undefined) return '\n'
      const found = answer.labels.length === 0 ? '-' : printable(answer.labels.join(', '))
      return `${strong(found, colour)}\t${printable(line)}\n`
    },
  documents: {
    takes: 'documents',
    annotate(_, __, answers, { labels }) {
      const answer = joinAnswers(answers)
      if (answer === undefined) return { labels: [] }
      return {
        labels: labels.map((label, k) => ({
          label,
          applies: answer.labels.includes(label),
          probability: answer.probabilities[k],
        })),
      }
    },
  },
}

function rounded({ probabilities }: DocumentAnswer): number[] {
  return probabilities.map((p) => Number(p.toFixed(4)))
}

/** 0 or 1 for each label f32 [K], or the number of the one label i32 [1]; undefined where nothing is known. */
function targets(
  { labels: own, line }: DocumentText,
  { form, labels }: TaskContext,
): Float32Array | Int32Array | undefined {
  if (own === undefined) return undefined
  const numbers = own.map((label) => {
    const k = labels.indexOf(label)
    if (k < 0) throw new Error(`label ${label} of line ${line} is none of ${labels.join(', ')}`)
    return k
  })
  if (form === 'single') return Int32Array.from(numbers)
  const row = new Float32Array(labels.length)
  for (const k of numbers) row[k] = 1
  return row
}

/** Throws a UserError where a model's folder holds others than one for each label. */
function thresholds(fitted: unknown, labels: readonly string[]): readonly number[] {
  if (fitted === undefined) return labels.map(() => 0.5)
  if (
    Array.isArray(fitted) &&
    fitted.length === labels.length &&
    fitted.every((value) => typeof value === 'number')
  )
    return fitted
  throw new UserError(
    `thresholds of the model: found ${JSON.stringify(fitted)}, expected ${labels.length} numbers, one a label`,
  )
}

function sigmoids(row: ArrayLike<number>): number[] {
  return Array.from(row, (x) => 1 / (1 + Math.exp(-x)))
}
