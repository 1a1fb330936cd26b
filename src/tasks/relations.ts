/**
 * Relations: which of K relations, none among them, a sentence states of its marked pair of mentions; `[CLS] sentence [SEP]`, one
 * choice at [CLS]. Scored by micro F1 over the labels that are not negative, as BLURB scores ChemProt, DDI and GAD, and BLUE i2b2:
 *
 *   F1 = 2 correct / (predicted + gold), a sentence counting among each where its label there is a relation
 */
import { UserError } from '../error.js'
import { classHead } from '../model/sequence_classification.js'
import { scoreClasses } from './metrics/classification.js'
import { classTally, f1OfTally } from './metrics/tally.js'
import { FORMS, inForm } from './relations/marking.js'
import { negativeLabels } from './relations/negative.js'
import { type RelationSentence, readRelationFolder, readRelations, whatCounts } from './relations/reader.js'
import {
  type ClassAnswer,
  checkClasses,
  checkLabels,
  classPredictions,
  classTarget,
  collapsedClasses,
  decodeClasses,
  labelNumbers,
  percent,
  printClasses,
} from './shared/class_answers.js'
import { blurbSettings, publishedSettings } from './shared/published_settings.js'
import { sequences } from './shared/sequences.js'
import type { Task } from './task.js'

/** Scores under the names that scripts read; fractions in [0, 1]. */
export function relationScores(
  gold: readonly number[],
  predicted: readonly number[],
  labels: readonly string[],
) {
  const negative = negativeLabels(labels)
  const scores = scoreClasses(gold, predicted, labels, {
    negative: negative.map((label) => labels.indexOf(label)),
  })
  const { micro } = scores
  return {
    items: scores.examples,
    accuracy: scores.accuracy,
    /** Micro averages over the labels that are not negative. */
    precision: micro.precision,
    recall: micro.recall,
    f1: micro.f1,
    gold: micro.gold,
    predicted: micro.predicted,
    correct: micro.correct,
    /** Plain mean of the F1 of the labels that are not negative, and of all labels. */
    macro_f1: scores.positiveMacroF1,
    macro_f1_all: scores.macroF1,
    negative,
    classes: scores.classes,
    labels,
    confusion: scores.confusion,
  }
}

export type RelationScores = ReturnType<typeof relationScores>

export const relations: Task<RelationSentence, ClassAnswer> = {
  name: 'relations',
  alias: 're',
  summary: 'relations: what a sentence states of a marked pair of mentions',
  data: 'train, dev (or devel, validation) and test, each .tsv, .jsonl or .txt: index, sentence and label under a header, or sentence and label, or JSON lines with text and label; or folders 1, 2, ... of folds',
  unit: 'sentences',
  forms: FORMS,
  metric: 'f1',
  // ChemProt's and GAD's values of LinkBERT's script, then DDI's
  settings: {
    ...publishedSettings({ learningRate: 3e-5, batch: 32, maxLength: 256, epochs: 10 }),
    'blurb-ddi': blurbSettings({ learningRate: 2e-5, batch: 32, maxLength: 256, epochs: 5 }),
  },
  // short sentences are not padded, and a pair whose mention is cut off cannot be judged: of DDI's training sentences the papers'
  // 128 pieces of ALBERT's vocabulary lose one in 16%, LinkBERT's 256 in 3%, 512 in none
  maxLength: 512,
  usualLabels: ['False', 'CPR:3', 'CPR:4', 'CPR:5', 'CPR:6', 'CPR:9'],

  read: readRelationFolder,
  readFile(path, { form, labels }) {
    const items = readRelations(path, form)
    checkLabels(path, items, labels, 'a label of the model')
    return { path, items, notes: [whatCounts(labels)], facts: { negative: negativeLabels(labels) } }
  },
  head(labels, form) {
    checkClasses(labels, 'relations')
    if (!(FORMS as readonly string[]).includes(form))
      throw new UserError(`form ${form}: expected ${FORMS.join(', ')} for relations`)
    return classHead
  },
  examples: (items, context, training) =>
    sequences(
      items,
      ({ text }) => [inForm(text, context.form)],
      (item) => classTarget(item, context.labels),
      context,
      training,
    ),
  decode: (items, examples, logits, { labels }) => decodeClasses(items.length, examples, logits, labels),
  score(items, answers, labels) {
    const { gold, predicted } = labelNumbers(items, answers, labels)
    return relationScores(gold, predicted, labels)
  },
  tally(items, answers, labels) {
    const { gold, predicted } = labelNumbers(items, answers, labels)
    const negative = negativeLabels(labels).map((label) => labels.indexOf(label))
    return gold.map((label, i) => classTally(label, predicted[i], negative))
  },
  rate: f1OfTally,
  rows(columns) {
    const scores = columns as readonly RelationScores[]
    const row = (name: string, value: (scores: RelationScores) => number) => [
      name,
      ...scores.map((one) => percent(value(one))),
    ]
    const { labels, negative } = scores[0]
    const positive = labels.filter((label) => !negative.includes(label))
    const over =
      negative.length === 0
        ? `all ${labels.length} labels`
        : `${positive.length} of ${labels.length} labels, not ${negative.join(', ')}`
    return [
      row(`micro precision over ${over}`, (s) => s.precision),
      row('micro recall over them', (s) => s.recall),
      row('micro F1 over them', (s) => s.f1),
      row('macro F1 over them', (s) => s.macro_f1),
      row('accuracy of all labels', (s) => s.accuracy),
      ...labels.map((label) => row(`  F1 of ${label}`, (s) => s.classes[label]?.f1 ?? 0)),
      ['sentences scored', ...scores.map(({ items }) => items.toLocaleString('en-US'))],
    ]
  },
  short(scores) {
    const { precision, recall, f1 } = scores as RelationScores
    return `P ${percent(precision)} R ${percent(recall)} F1 ${percent(f1)}`
  },
  collapsed: (scores) => collapsedClasses(scores as RelationScores),
  predictions: (items, answers, { labels }) => ({
    extension: 'tsv',
    text: classPredictions(items, answers, labels, ['sentence'], ({ text }) => [text]),
  }),

  input: 'a sentence whose pair is marked as in the training data (@GENE$, or << >> and [[ ]])',
  formats: ['text', 'jsonl'],
  parse: (text, { line }) => (text.trim() === '' ? [] : [{ text, line }]),
  printer: (options) => printClasses(options),
}
