/**
 * One label of K for each item: what relations, inference and documents with one label share. Targets, answers from logits,
 * what is counted, the predictions file and what `predict` prints.
 */
import { InputError, UserError } from '../../error.js'
import type { Example } from '../../model/head.js'
import type { Printer, PrintOptions } from '../task.js'
import { largest } from './classes.js'
import { printable } from './printable.js'
import { rowsOf } from './sequences.js'

export interface ClassAnswer {
  readonly label: string
  /** [K] Of all labels, in their order; they add up to 1. */
  readonly probabilities: readonly number[]
}

/** An item of a labelled file, or of a text to label. */
export interface Labelled {
  /** What the file calls it. */
  readonly index?: string
  readonly label?: string
  /** From 1. */
  readonly line: number
}

/** The number of a label as targets i32 [1]; undefined where there is none. Throws for a label that is none of them. */
export function classTarget({ label, line }: Labelled, labels: readonly string[]): Int32Array | undefined {
  return label === undefined ? undefined : Int32Array.of(labelNumber(label, labels, line))
}

/** The answers of the largest logits. */
export function decodeClasses(
  count: number,
  examples: readonly Example[],
  logits: readonly Float32Array[],
  labels: readonly string[],
): ClassAnswer[] {
  return rowsOf(count, examples, logits).map((row) => {
    if (row.length !== labels.length)
      throw new Error(`${row.length} logits for the ${labels.length} labels ${labels.join(', ')}`)
    const probabilities = softmax(row)
    return { label: labels[largest(row)], probabilities }
  })
}

/** exp(x_k) / sum_j exp(x_j). */
export function softmax(row: ArrayLike<number>): number[] {
  const values = Array.from(row)
  const largest = Math.max(...values)
  const powers = values.map((x) => Math.exp(x - largest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((x) => x / sum)
}

/** Gold and predicted labels as numbers, for the metrics. Throws where an item has no label to score by. */
export function labelNumbers(
  items: readonly Labelled[],
  answers: readonly ClassAnswer[],
  labels: readonly string[],
): { gold: number[]; predicted: number[] } {
  if (answers.length !== items.length) throw new Error(`${answers.length} answers for ${items.length} items`)
  return {
    gold: items.map((item) => labelNumber(goldOf(item), labels, item.line)),
    predicted: answers.map(({ label }, i) => labelNumber(label, labels, items[i].line)),
  }
}

/** Throws an InputError for the first item whose label is none of `labels`. */
export function checkLabels(
  file: string,
  items: readonly Labelled[],
  labels: readonly string[],
  expected: string,
): void {
  const known = new Set(labels)
  for (const { label, line } of items) {
    if (label !== undefined && known.has(label)) continue
    const found = label === undefined ? 'no label' : `label ${JSON.stringify(label)}`
    throw new InputError({ file, line, found, expected: `${expected} (${labels.join(', ')})` })
  }
}

/** Throws a UserError unless there are two labels or more, all different. */
export function checkClasses(labels: readonly string[], task: string): void {
  if (labels.length < 2 || new Set(labels).size !== labels.length)
    throw new UserError(`labels ${labels.join(', ')}: expected two or more for a model of ${task}`)
}

/** The label that alone was predicted, by the counts of gold (row) and predicted (column) labels; undefined where two were. */
export function onlyPredicted(
  confusion: readonly (readonly number[])[],
  labels: readonly string[],
): string | undefined {
  const found = labels.filter((_, k) => confusion.some((row) => row[k] > 0))
  return found.length === 1 ? found[0] : undefined
}

/** What is said of a classifier that predicts one class whatever it reads. */
export function collapsedClasses(scores: {
  readonly confusion: readonly (readonly number[])[]
  readonly labels: readonly string[]
}): string | undefined {
  const only = onlyPredicted(scores.confusion, scores.labels)
  return only === undefined ? undefined : `predicted ${only} alone`
}

/**
 * A row an item: what the file calls it (else its number, from 1), gold and predicted label, a probability for each label, and
 * under `columns` what it says.
 */
export function classPredictions<Item extends Labelled>(
  items: readonly Item[],
  answers: readonly ClassAnswer[],
  labels: readonly string[],
  columns: readonly string[],
  texts: (item: Item) => readonly string[],
): string {
  const rows = items.map((item, i) => [
    item.index ?? String(i + 1),
    item.label ?? '',
    answers[i].label,
    ...answers[i].probabilities.map((p) => p.toFixed(4)),
    ...texts(item),
  ])
  const header = ['index', 'gold', 'predicted', ...labels.map((label) => `p(${label})`), ...columns]
  return tsvText([header, ...rows])
}

/** Rows as a table; white space in a cell becomes one space, so that it stays a cell. */
export function tsvText(rows: readonly (readonly string[])[]): string {
  return rows.map((cells) => `${cells.map((cell) => cell.replace(/[\t\r\n]+/g, ' ')).join('\t')}\n`).join('')
}

/** `label (0.98)<TAB>text`, or a JSON object with what `keys` makes of the line; nothing is said of an empty line. */
export function printClasses(
  { format, colour }: PrintOptions,
  keys: (line: string) => Record<string, string> = (text) => ({ text }),
): Printer<unknown, ClassAnswer> {
  return (line, _, [answer]) => {
    const probability = answer === undefined ? 0 : Math.max(...answer.probabilities)
    if (format === 'jsonl') {
      const label = answer?.label ?? null
      const rounded = answer === undefined ? {} : { probability: Number(probability.toFixed(4)) }
      return `${JSON.stringify({ ...keys(line), label, ...rounded })}\n`
    }
    if (answer === undefined) return '\n'
    return `${strong(printable(answer.label), colour)} (${probability.toFixed(2)})\t${printable(line)}\n`
  }
}

/** Bold where colours may be used. */
export function strong(text: string, colour: boolean): string {
  return colour ? `\u001b[1m${text}\u001b[0m` : text
}

export const percent = (fraction: number) => (100 * fraction).toFixed(2)

function labelNumber(label: string, labels: readonly string[], line: number): number {
  const index = labels.indexOf(label)
  if (index < 0) throw new Error(`label ${label} of line ${line} is none of ${labels.join(', ')}`)
  return index
}

function goldOf({ label, line }: Labelled): string {
  if (label === undefined) throw new Error(`the item of line ${line} has no label to score by`)
  return label
}
