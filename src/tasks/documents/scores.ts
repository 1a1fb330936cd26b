/**
 * Labels of documents scored. Where the items are sentences, a document has the labels of all of its sentences together, in gold
 * and in prediction. What is called F1 is the micro average over all documents; BLUE counts only those with a gold label, which
 * stands beside it, as do means over labels and over documents.
 */
import { scoreClassification } from '../metrics/classification.js'
import { documentTally, type LabelRows, scoreMultilabel } from '../metrics/multilabel.js'
import type { Tally } from '../task.js'
import type { DocumentText } from './reader.js'

export interface DocumentAnswer {
  readonly labels: readonly string[]
  /** [K] Of all labels, in their order; of a choice among classes they add up to 1. */
  readonly probabilities: readonly number[]
  /** Whether it was a choice of one label. */
  readonly single: boolean
}

/** The answer for a document from those for its sentences: the labels of any, the largest probability of each. */
export function joinAnswers(answers: readonly DocumentAnswer[]): DocumentAnswer | undefined {
  if (answers.length < 2) return answers[0]
  const probabilities = answers[0].probabilities.map((_, k) =>
    Math.max(...answers.map((answer) => answer.probabilities[k])),
  )
  return { labels: [...new Set(answers.flatMap(({ labels }) => labels))], probabilities, single: false }
}

/** For each document the numbers of its items, in the order in which documents first appear. */
export function documentItems(items: readonly DocumentText[]): number[][] {
  const groups: number[][] = []
  const known = new Map<string, number[]>()
  items.forEach(({ document }, i) => {
    const group = document === undefined ? undefined : known.get(document)
    if (group !== undefined) {
      group.push(i)
      return
    }
    groups.push([i])
    if (document !== undefined) known.set(document, groups[groups.length - 1])
  })
  return groups
}

/** [documents][K] 1 where an item of the document has the label. */
export function unionRows(
  groups: readonly (readonly number[])[],
  labelsOf: (item: number) => readonly string[],
  labels: readonly string[],
): Uint8Array[] {
  return groups.map((group) => {
    const row = new Uint8Array(labels.length)
    for (const item of group)
      for (const label of labelsOf(item)) {
        const k = labels.indexOf(label)
        if (k < 0) throw new Error(`label ${label} is none of ${labels.join(', ')}`)
        row[k] = 1
      }
    return row
  })
}

/** Gold and predicted labels of the documents. */
export function documentRows(
  items: readonly DocumentText[],
  answers: readonly DocumentAnswer[],
  labels: readonly string[],
): { gold: Uint8Array[]; predicted: Uint8Array[] } {
  if (answers.length !== items.length) throw new Error(`${answers.length} answers for ${items.length} items`)
  const groups = documentItems(items)
  return {
    gold: unionRows(groups, (i) => goldOf(items[i]), labels),
    predicted: unionRows(groups, (i) => answers[i].labels, labels),
  }
}

export function documentTallies(
  items: readonly DocumentText[],
  answers: readonly DocumentAnswer[],
  labels: readonly string[],
): Tally[] {
  const { gold, predicted } = documentRows(items, answers, labels)
  return gold.map((row, d) => documentTally(row, predicted[d]))
}

/** Scores under the names that scripts read; fractions in [0, 1]. */
export function documentScores(
  items: readonly DocumentText[],
  answers: readonly DocumentAnswer[],
  labels: readonly string[],
) {
  const { gold, predicted } = documentRows(items, answers, labels)
  const scores = scoreMultilabel(gold, predicted, labels)
  const { micro } = scores
  const single = answers.length > 0 && answers.every((answer) => answer.single)
  return {
    items: items.length,
    documents: scores.documents,
    /** Micro averages over all documents. */
    precision: micro.precision,
    recall: micro.recall,
    f1: micro.f1,
    gold: micro.gold,
    predicted: micro.predicted,
    correct: micro.correct,
    macro_f1: scores.macroF1,
    /** Share of documents with exactly the right labels; of a choice among classes the accuracy. */
    accuracy: scores.exactMatch,
    /** Means over documents: BLUE's precision and recall of those with a gold label, of all, and scikit-learn's samples. */
    example_f1: scores.examples.f1,
    example_f1_all: scores.allExamples.f1,
    samples_f1: scores.samplesF1,
    labelled_only: labelledOnly(gold, predicted, labels),
    classes: scores.labels,
    labels,
    single,
    ...(single ? { confusion: confusion(gold, predicted, labels.length) } : {}),
    /** The labels of every document, where all documents were given the same. */
    always: alwaysPredicted(predicted, labels),
  }
}

export type DocumentScores = ReturnType<typeof documentScores>

function goldOf({ labels, line }: DocumentText): readonly string[] {
  if (labels === undefined) throw new Error(`the document of line ${line} has no labels to score by`)
  return labels
}

/** BLUE's documents of Hallmarks of Cancer: those with a gold label. */
function labelledOnly(gold: LabelRows, predicted: LabelRows, labels: readonly string[]) {
  const kept = gold.flatMap((row, d) => (Array.from(row).some((value) => value === 1) ? [d] : []))
  const { documents, micro, macroF1 } = scoreMultilabel(
    kept.map((d) => gold[d]),
    kept.map((d) => predicted[d]),
    labels,
  )
  return { documents, precision: micro.precision, recall: micro.recall, f1: micro.f1, macro_f1: macroF1 }
}

function confusion(gold: readonly Uint8Array[], predicted: readonly Uint8Array[], K: number): number[][] {
  const choice = (rows: readonly Uint8Array[]) => rows.map((row) => row.indexOf(1))
  return scoreClassification(choice(gold), choice(predicted), K).confusion
}

function alwaysPredicted(predicted: readonly Uint8Array[], labels: readonly string[]): string[] | null {
  if (predicted.length < 2) return null
  const [first] = predicted
  if (!predicted.every((row) => row.every((value, k) => value === first[k]))) return null
  return labels.filter((_, k) => first[k] === 1)
}
