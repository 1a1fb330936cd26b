/**
 * Similarity: how alike two sentences are, as a number on the scale of the data (BIOSSES 0 to 4, MedSTS 0 to 5); `[CLS] a [SEP] b [SEP]`,
 * one number at [CLS] trained by its squared error, scored by Pearson's correlation. Where a correlation does not exist, as of
 * predictions that are all the same, it is null and said in words.
 */

import { quote } from '../data/files/text.js'
import { InputError, UserError } from '../error.js'
import { scoreHead } from '../model/sequence_classification.js'
import { scoreCorrelation } from './metrics/correlation.js'
import { pearsonOfTally, pearsonTally } from './metrics/tally.js'
import { percent, strong, tsvText } from './shared/class_answers.js'
import { PAIR_NAMES, type Pair, pairKey, pairKeys, pairTexts, parsePair } from './shared/pairs.js'
import { readParts } from './shared/parts.js'
import { printable } from './shared/printable.js'
import { publishedSettings } from './shared/published_settings.js'
import { filled, type RecordForm, readRecords } from './shared/records.js'
import { rowsOf, sequences } from './shared/sequences.js'
import type { Task } from './task.js'

export interface SimilarPair extends Pair {
  readonly score?: number
}

/** A regressor whose predictions spread by less than this share of what gold scores do has learnt their mean. */
const COLLAPSED = 0.01
/** The name of the one output. */
const SCORE = 'score'
const RECORDS: RecordForm<'index' | 'first' | 'second' | 'score'> = {
  names: { ...PAIR_NAMES, score: ['score', 'similarity_score', 'similarity', 'label'] },
  optional: ['index'],
  bare: { 3: ['first', 'second', 'score'], 4: ['index', 'first', 'second', 'score'] },
  expected:
    'columns sentence1, sentence2 and score under a header, or in this order without one, with tabs between them',
}

function readPairs(file: string): SimilarPair[] {
  return readRecords(file, RECORDS).map((record) => {
    const { fields, line } = record
    const [first, second, text] = (['first', 'second', 'score'] as const).map((field) =>
      filled(record, field, file),
    )
    const score = Number(text)
    if (!Number.isFinite(score))
      throw new InputError({ file, line, found: `${quote(text)} as score`, expected: 'a number' })
    return { ...(fields.index === undefined ? {} : { index: fields.index }), first, second, score, line }
  })
}

function goldOf({ score, line }: SimilarPair): number {
  if (score === undefined) throw new Error(`the pair of line ${line} has no score to score by`)
  return score
}

export function similarityScores(gold: readonly number[], predicted: readonly number[]) {
  const { pairs, pearson, spearman, meanSquaredError } = scoreCorrelation(gold, predicted)
  return {
    items: pairs,
    pearson,
    spearman,
    mse: meanSquaredError,
    /** All the same, so that there is no correlation. */
    constant: predicted.length > 1 && predicted.every((value) => value === predicted[0]),
    predicted_range: rangeOf(predicted),
    gold_range: rangeOf(gold),
  }
}

export type SimilarityScores = ReturnType<typeof similarityScores>

export const similarity: Task<SimilarPair, number> = {
  name: 'similarity',
  alias: 'sts',
  summary: 'similarity: how alike two sentences are, a number',
  data: 'train, dev and test tables with columns sentence1, sentence2 and score under a header, or in this order without one',
  unit: 'pairs',
  forms: ['pairs'],
  metric: 'pearson',
  // BIOSSES' values of LinkBERT's script
  settings: publishedSettings({ learningRate: 1e-5, batch: 16, maxLength: 512, epochs: 30 }),
  maxLength: 256,
  usualLabels: [SCORE],

  read(folder, { fold, seed }) {
    const { train, dev, test, notes, facts } = readParts(
      folder,
      { fold, seed },
      readPairs,
      (pair) => ({ text: pairKey(pair), label: String(Math.round(goldOf(pair))) }),
      'pairs',
    )
    const scores = [train, dev, test].flatMap(({ items }) => items.map(goldOf))
    const range = rangeOf(scores)
    return {
      train,
      dev,
      test,
      labels: [SCORE],
      notes: [...notes, `scores from ${range?.join(' to ')}, predicted as they stand`],
      facts: { ...facts, range },
    }
  },
  readFile: (path) => ({ path, items: readPairs(path) }),
  head(labels) {
    if (labels.length !== 1)
      throw new UserError(
        `labels ${labels.join(', ')}: expected ${SCORE} alone, the number of a model of similarity`,
      )
    return scoreHead
  },
  examples: (items, context, training) =>
    sequences(
      items,
      pairTexts,
      ({ score }) => (score === undefined ? undefined : Float32Array.of(score)),
      context,
      training,
    ),
  decode: (items, examples, logits) => rowsOf(items.length, examples, logits).map(([value]) => value),
  score: (items, answers) => similarityScores(items.map(goldOf), answers),
  tally: (items, answers) => items.map((item, i) => pearsonTally(goldOf(item), answers[i])),
  rate: pearsonOfTally,
  rows(columns) {
    const scores = columns as readonly SimilarityScores[]
    const correlation = (value: number | null, { constant, items }: SimilarityScores) => {
      if (value !== null) return percent(value)
      if (constant) return 'none (constant prediction)'
      return items < 2 ? 'none (fewer than 2 pairs)' : 'none'
    }
    return [
      ['Pearson correlation', ...scores.map((s) => correlation(s.pearson, s))],
      ['Spearman rank correlation', ...scores.map((s) => correlation(s.spearman, s))],
      ['mean squared error', ...scores.map(({ mse }) => mse?.toFixed(4) ?? 'none')],
      ['predicted, least to most', ...scores.map((s) => shown(s.predicted_range))],
      ['pairs scored', ...scores.map(({ items }) => items.toLocaleString('en-US'))],
    ]
  },
  short(scores) {
    const { pearson, mse, constant } = scores as SimilarityScores
    const r = pearson === null ? (constant ? 'none, constant prediction' : 'none') : percent(pearson)
    return `Pearson ${r} MSE ${mse?.toFixed(4) ?? 'none'}`
  },
  collapsed(scores) {
    const { constant, predicted_range, gold_range } = scores as SimilarityScores
    if (constant) return `predicted ${predicted_range?.[0].toFixed(4) ?? 'no number'} for every pair`
    if (predicted_range === null || gold_range === null) return undefined
    const narrow = spread(predicted_range) < COLLAPSED * spread(gold_range)
    return narrow ? `predicted ${shown(predicted_range)} for all pairs` : undefined
  },
  predictions: (items, answers) => ({
    extension: 'tsv',
    text: tsvText([
      ['index', 'gold', 'predicted', 'sentence1', 'sentence2'],
      ...items.map(({ index, score, first, second }, i) => [
        index ?? String(i + 1),
        String(score ?? ''),
        answers[i].toFixed(4),
        first,
        second,
      ]),
    ]),
  }),

  input: 'two sentences, a tab between them',
  formats: ['text', 'jsonl'],
  parse: parsePair,
  printer: ({ format, colour }) => {
    if (format === 'jsonl')
      return (line, _, [score]) =>
        `${JSON.stringify({ ...pairKeys(line), score: score === undefined ? null : Number(score.toFixed(4)) })}\n`
    return (line, _, [score]) =>
      score === undefined ? '\n' : `${strong(score.toFixed(2), colour)}\t${printable(line)}\n`
  },
}

/** Least and most; null without values or where one is not finite. */
function rangeOf(values: readonly number[]): [least: number, most: number] | null {
  if (values.length === 0 || !values.every(Number.isFinite)) return null
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]
}

function spread([least, most]: readonly [number, number]): number {
  return most - least
}

function shown(range: readonly [number, number] | null): string {
  return range === null ? 'none' : `${range[0].toFixed(4)} to ${range[1].toFixed(4)}`
}
