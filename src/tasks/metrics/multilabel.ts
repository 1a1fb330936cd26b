/**
 * Scores of documents that each have any number of K labels, none among them (Hallmarks of Cancer), and the thresholds that
 * turn probabilities into labels. gold and predicted are [documents][K] of 0 and 1. Four averages that are often confused:
 *
 *   micro     counts of all labels together; BLURB's score of HoC. A document without a label on either side adds nothing.
 *   macro     mean over the K labels of each label's F1; such a document adds nothing.
 *   examples  BLUE's: P and R are means over documents of |both| / |predicted| and |both| / |gold|, then F1 = 2 P R / (P + R).
 *             BLUE's test documents all have a label, and its formula divides by nothing otherwise: scored over the documents
 *             with a gold label, P being 0 where nothing is predicted. What is made up elsewhere costs nothing here.
 *   allExamples  the same over all documents: one without a gold label counts P = R = 1 if nothing is predicted, else 0.
 *   samples   scikit-learn's average='samples', zero_division=0: mean over all documents of the document's own
 *             F1 = 2 |both| / (|predicted| + |gold|), 0 where neither side has a label.
 */
import { addCounts, type Counts, countsOf, meanF1 } from './counts.js'

/** One row a document, one column a label, 0 or 1. */
export type LabelRows = readonly ArrayLike<number>[]

export interface ExampleScores {
  /** Documents that count. */
  documents: number
  precision: number
  recall: number
  f1: number
}

export interface MultilabelScores {
  documents: number
  /** Share of documents whose labels are all right, and no other predicted; none on both sides is right. 0 without documents. */
  exactMatch: number
  micro: Counts
  macroF1: number
  examples: ExampleScores
  allExamples: ExampleScores
  samplesF1: number
  /** By label. */
  labels: Record<string, Counts>
}

/** Scores `predicted[d]` against `gold[d]`; throws on other lengths or anything but 0 and 1. */
export function scoreMultilabel(
  gold: LabelRows,
  predicted: LabelRows,
  labels: readonly string[],
): MultilabelScores {
  checkRows('gold', gold, gold.length, labels.length)
  checkRows('predicted', predicted, gold.length, labels.length)
  const columns = labels.map((_, k) => countsOf(...countsWhere(gold, predicted, k)))
  const documents = gold.map((row, d) => documentTally(row, predicted[d]))
  const labelled = documents.filter(([, , wanted]) => wanted > 0)
  const mean = (value: (tally: DocumentTally) => number) =>
    documents.length === 0 ? 0 : documents.reduce((sum, tally) => sum + value(tally), 0) / documents.length
  return {
    documents: documents.length,
    exactMatch: mean(([both, found, wanted]) => (both === found && both === wanted ? 1 : 0)),
    micro: addCounts(columns),
    macroF1: meanF1(columns),
    examples: exampleScores(labelled),
    allExamples: exampleScores(documents),
    samplesF1: mean(([both, found, wanted]) => countsOf(both, found, wanted).f1),
    labels: Object.fromEntries(labels.map((label, k) => [label, columns[k]])),
  }
}

/** Labels of a document: right ones, predicted ones, gold ones; its tally for micro F1. */
export type DocumentTally = [correct: number, predicted: number, gold: number]

export function documentTally(gold: ArrayLike<number>, predicted: ArrayLike<number>): DocumentTally {
  const tally: DocumentTally = [0, 0, 0]
  for (let k = 0; k < gold.length; k++) {
    if (gold[k] === 1 && predicted[k] === 1) tally[0]++
    if (predicted[k] === 1) tally[1]++
    if (gold[k] === 1) tally[2]++
  }
  return tally
}

/** Precision and recall of one document, as `allExamples` counts them. */
function exampleOf([both, found, wanted]: DocumentTally): [precision: number, recall: number] {
  if (wanted === 0) return found === 0 ? [1, 1] : [0, 0]
  return [found === 0 ? 0 : both / found, both / wanted]
}

function exampleScores(documents: readonly DocumentTally[]): ExampleScores {
  const n = documents.length
  let precision = 0
  let recall = 0
  for (const [p, r] of documents.map(exampleOf)) {
    precision += p / n
    recall += r / n
  }
  const f1 = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall)
  return { documents: n, precision, recall, f1 }
}

function countsWhere(gold: LabelRows, predicted: LabelRows, k: number): DocumentTally {
  const column = (rows: LabelRows) => Uint8Array.from(rows, (row) => row[k])
  return documentTally(column(gold), column(predicted))
}

function checkRows(name: string, rows: LabelRows, documents: number, labels: number): void {
  if (rows.length !== documents) {
    throw new Error(`scoreMultilabel: ${rows.length} ${name} documents, want ${documents}`)
  }
  rows.forEach((row, d) => {
    if (row.length !== labels) {
      throw new Error(`scoreMultilabel: document ${d} has ${row.length} ${name} labels, want ${labels}`)
    }
    for (let k = 0; k < labels; k++) {
      if (row[k] !== 0 && row[k] !== 1) {
        throw new Error(`scoreMultilabel: document ${d} has ${name} ${row[k]} for label ${k}, want 0 or 1`)
      }
    }
  })
}

/** 1 where a probability reaches its label's threshold: [documents][K]. */
export function applyThresholds(
  probabilities: readonly ArrayLike<number>[],
  thresholds: ArrayLike<number>,
): Uint8Array[] {
  return probabilities.map((row) => Uint8Array.from(row, (p, k) => (p >= thresholds[k] ? 1 : 0)))
}

/**
 * For each of K labels the threshold t that maximises F1 of `p >= t`: probabilities and gold are [documents][K]. Candidates are
 * 0.5 and the midpoints between neighbouring different probabilities (0 is the lowest one's neighbour); of those with equal F1
 * the nearest to 0.5 is taken, then the lower.
 * A label without a gold document stays at 0.5. O(documents log documents) for each label.
 */
export function chooseThresholds(
  probabilities: readonly ArrayLike<number>[],
  gold: LabelRows,
  labels: number,
): number[] {
  if (probabilities.length !== gold.length) {
    throw new Error(`chooseThresholds: ${probabilities.length} rows of probabilities, want ${gold.length}`)
  }
  return Array.from({ length: labels }, (_, k) =>
    chooseThreshold(
      Float64Array.from(probabilities, (row) => row[k]),
      Uint8Array.from(gold, (row) => row[k]),
    ),
  )
}

function chooseThreshold(probabilities: Float64Array, gold: Uint8Array): number {
  const positive = gold.reduce((n, value) => n + value, 0)
  if (positive === 0) return 0.5
  const order = Uint32Array.from(gold.keys()).sort((i, j) => probabilities[j] - probabilities[i])
  let best = 0.5
  let bestF1 = -1
  const consider = (threshold: number, correct: number, predicted: number): void => {
    const f1 = (2 * correct) / (predicted + positive)
    const nearer = Math.abs(threshold - 0.5) - Math.abs(best - 0.5)
    if (f1 > bestF1 || (f1 === bestF1 && (nearer < 0 || (nearer === 0 && threshold < best)))) {
      best = threshold
      bestF1 = f1
    }
  }
  // From above: what is predicted grows by one document at a time; a threshold lies only between different probabilities.
  let correct = 0
  for (let n = 0; n <= order.length; n++) {
    const above = n === 0 ? Number.POSITIVE_INFINITY : probabilities[order[n - 1]]
    const below = n === order.length ? Number.NEGATIVE_INFINITY : probabilities[order[n]]
    if (above > below) {
      if (above >= 0.5 && below < 0.5) consider(0.5, correct, n)
      if (n > 0) consider(midpoint(Math.max(below, 0), above), correct, n)
    }
    if (n < order.length) correct += gold[order[n]]
  }
  return best
}

/** Over `below` and not over `above`, also where nothing lies between them. */
function midpoint(below: number, above: number): number {
  const middle = below + (above - below) / 2
  return middle > below ? middle : above
}
