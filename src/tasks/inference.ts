/**
 * Inference: whether a premise entails a hypothesis, contradicts it or neither (MedNLI); `[CLS] premise [SEP] hypothesis [SEP]`, one
 * choice at [CLS], scored by accuracy. Files are SNLI's JSON lines (`sentence1`, `sentence2`, `gold_label`) or tables with those
 * columns or GLUE's (`label`). Pairs whose annotators did not agree have the label `-`: they are left out, and counted.
 */
import { InputError } from '../error.js'
import { classHead } from '../model/sequence_classification.js'
import { scoreClasses } from './metrics/classification.js'
import { ratioOfTally } from './metrics/tally.js'
import {
  type ClassAnswer,
  checkClasses,
  checkLabels,
  classPredictions,
  classTarget,
  collapsedClasses,
  decodeClasses,
  type Labelled,
  labelNumbers,
  percent,
  printClasses,
} from './shared/class_answers.js'
import { PAIR_NAMES, type Pair, pairKey, pairKeys, pairTexts, parsePair } from './shared/pairs.js'
import { counted, readParts } from './shared/parts.js'
import { publishedSettings } from './shared/published_settings.js'
import { filled, type RecordForm, readRecords } from './shared/records.js'
import { sequences } from './shared/sequences.js'
import type { Task } from './task.js'

/** A premise and a hypothesis. */
export type InferencePair = Pair & Labelled

const RECORDS: RecordForm<'index' | 'first' | 'second' | 'label'> = {
  names: { ...PAIR_NAMES, label: ['gold_label', 'label'] },
  optional: ['index'],
  bare: { 3: ['first', 'second', 'label'], 4: ['index', 'first', 'second', 'label'] },
  expected: 'JSON lines with sentence1, sentence2 and gold_label, or these columns with tabs between them',
}
const UNDECIDED = '-'

interface InferenceFile {
  items: InferencePair[]
  undecided: number
}

function readInference(file: string): InferenceFile {
  const pairs = readRecords(file, RECORDS).map((record) => {
    const { index } = record.fields
    const [first, second] = [filled(record, 'first', file), filled(record, 'second', file)]
    const label = filled(record, 'label', file).trim()
    return { ...(index === undefined ? {} : { index }), first, second, label, line: record.line }
  })
  const items = pairs.filter(({ label }) => label !== UNDECIDED)
  if (items.length === 0)
    throw new InputError({ file, found: `the label ${UNDECIDED} alone`, expected: 'pairs with a label' })
  return { items, undecided: pairs.length - items.length }
}

export function inferenceScores(
  gold: readonly number[],
  predicted: readonly number[],
  labels: readonly string[],
) {
  const { examples, accuracy, correct, macroF1, classes, confusion } = scoreClasses(gold, predicted, labels)
  return { items: examples, accuracy, correct, macro_f1: macroF1, classes, labels, confusion }
}

export type InferenceScores = ReturnType<typeof inferenceScores>

export const inference: Task<InferencePair, ClassAnswer> = {
  name: 'inference',
  alias: 'nli',
  summary: 'inference: whether a sentence follows from another',
  data: 'train, dev and test files (also mli_train_v1.jsonl ...): JSON lines with sentence1, sentence2 and gold_label, or a table with these columns',
  unit: 'pairs',
  forms: ['pairs'],
  metric: 'accuracy',
  // BLURB has no inference: values from the middle of its ranges, as for ChemProt
  settings: publishedSettings({ learningRate: 3e-5, batch: 32, maxLength: 256, epochs: 10 }),
  maxLength: 256,
  usualLabels: ['contradiction', 'entailment', 'neutral'],

  read(folder, { fold, seed }) {
    let undecided = 0
    const parts = readParts(
      folder,
      { fold, seed },
      (file) => {
        const read = readInference(file)
        undecided += read.undecided
        return read.items
      },
      (pair) => ({ text: pairKey(pair), label: pair.label as string }),
      'pairs',
    )
    const { train, dev, test } = parts
    const labels = [...new Set(train.items.map(({ label }) => label as string))].sort()
    if (labels.length < 2)
      throw new InputError({
        file: train.path,
        found: `one label alone (${labels[0]})`,
        expected: 'two or more',
      })
    for (const { path, items } of [dev, test]) checkLabels(path, items, labels, `a label of ${train.path}`)
    return {
      train,
      dev,
      test,
      labels,
      notes: [...parts.notes, ...undecidedNotes(undecided)],
      facts: { ...parts.facts, undecided },
    }
  },
  readFile(path, { labels }) {
    const { items, undecided } = readInference(path)
    checkLabels(path, items, labels, 'a label of the model')
    return { path, items, notes: undecidedNotes(undecided), facts: { undecided } }
  },
  head(labels) {
    checkClasses(labels, 'inference')
    return classHead
  },
  examples: (items, context, training) =>
    sequences(items, pairTexts, (item) => classTarget(item, context.labels), context, training),
  decode: (items, examples, logits, { labels }) => decodeClasses(items.length, examples, logits, labels),
  score(items, answers, labels) {
    const { gold, predicted } = labelNumbers(items, answers, labels)
    return inferenceScores(gold, predicted, labels)
  },
  tally(items, answers, labels) {
    const { gold, predicted } = labelNumbers(items, answers, labels)
    return gold.map((label, i) => [label === predicted[i] ? 1 : 0, 1])
  },
  rate: ratioOfTally,
  rows(columns) {
    const scores = columns as readonly InferenceScores[]
    const row = (name: string, value: (scores: InferenceScores) => number) => [
      name,
      ...scores.map((one) => percent(value(one))),
    ]
    return [
      row('accuracy', (s) => s.accuracy),
      row('macro F1', (s) => s.macro_f1),
      ...scores[0].labels.map((label) => row(`  F1 of ${label}`, (s) => s.classes[label]?.f1 ?? 0)),
      ['pairs scored', ...scores.map(({ items }) => items.toLocaleString('en-US'))],
    ]
  },
  short: (scores) => `accuracy ${percent((scores as InferenceScores).accuracy)}`,
  collapsed: (scores) => collapsedClasses(scores as InferenceScores),
  predictions: (items, answers, { labels }) => ({
    extension: 'tsv',
    text: classPredictions(items, answers, labels, ['sentence1', 'sentence2'], pairTexts),
  }),

  input: 'two sentences, a tab between them',
  formats: ['text', 'jsonl'],
  parse: parsePair,
  printer: (options) => printClasses(options, pairKeys),
}

function undecidedNotes(undecided: number): string[] {
  if (undecided === 0) return []
  return [
    `${counted(undecided)} ${undecided === 1 ? 'pair is' : 'pairs are'} left out: annotators did not agree (${UNDECIDED})`,
  ]
}
