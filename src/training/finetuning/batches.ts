/**
 * Windows of labelled sentences as ragged micro-batches: packed one after the other up to a number of rows (pieces),
 * nothing padded. Rows of sequence b are cu_seqlens[b] to cu_seqlens[b+1] - 1; `word_rows` holds the row of the
 * first piece of every scored word, `word_labels` its label. Used by fine-tuning, evaluation and prediction.
 */

import { Philox } from '../../data/random.js'
import type { NerSentence } from '../../tasks/entities/sentence.js'
import type { NerExample } from '../../tasks/entities/windows.js'

/** The inputs of `tokenClassification` and the run-time sizes that go with them. */
export interface TokenBatch {
  readonly inputs: Readonly<Record<string, Int32Array>>
  readonly scalars: { readonly rows: number; readonly sequences: number; readonly words: number }
}

/**
 * Divides `order`, numbers of sequences, into runs of at most `rows` rows, in that order.
 * Throws RangeError for a sequence that is longer than `rows`.
 */
export function pack(lengths: ArrayLike<number>, order: Iterable<number>, rows: number): number[][] {
  const runs: number[][] = []
  let used = rows + 1
  for (const index of order) {
    const length = lengths[index]
    if (length > rows)
      throw new RangeError(`pack: sequence ${index} has ${length} rows (want at most ${rows})`)
    if (used + length > rows) {
      runs.push([])
      used = 0
    }
    runs[runs.length - 1].push(index)
    used += length
  }
  return runs
}

/** One micro-batch; `labels[i]` are the labels of the scored words of `examples[i]`. */
export function collate(examples: readonly NerExample[], labels?: readonly Int32Array[]): TokenBatch {
  const rows = examples.reduce((n, { ids }) => n + ids.length, 0)
  const words = examples.reduce((n, { wordAt }) => n + wordAt.length, 0)
  const ids = new Int32Array(rows)
  const positions = new Int32Array(rows)
  const cuSeqlens = new Int32Array(examples.length + 1)
  const wordRows = new Int32Array(words)
  const wordLabels = new Int32Array(labels ? words : 0)
  let row = 0
  let word = 0
  examples.forEach((example, i) => {
    ids.set(example.ids, row)
    for (let p = 0; p < example.ids.length; p++) positions[row + p] = p
    labels && wordLabels.set(labels[i], word)
    for (const at of example.wordAt) wordRows[word++] = row + at
    row += example.ids.length
    cuSeqlens[i + 1] = row
  })
  return {
    inputs: {
      ids,
      segments: new Int32Array(rows),
      positions,
      cu_seqlens: cuSeqlens,
      word_rows: wordRows,
      ...(labels && { word_labels: wordLabels }),
    },
    scalars: { rows, sequences: examples.length, words },
  }
}

/** Labels of the scored words of every window, as numbers into `labels`. Throws for a tag that is none of them. */
export function labelIndices(
  sentences: readonly NerSentence[],
  examples: readonly NerExample[],
  labels: readonly string[],
): Int32Array[] {
  const indexOf = new Map(labels.map((label, i) => [label, i]))
  return examples.map(({ sentence, words }) =>
    words.map((word) => {
      const tag = sentences[sentence].tags[word]
      const index = indexOf.get(tag)
      if (index === undefined) throw new Error(`tag ${tag} is none of ${labels.join(', ')}`)
      return index
    }),
  )
}

/** The numbers 0 to count - 1 in the order in which epoch `epoch` trains them. */
export function epochOrder(count: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  new Philox(seed, ORDER_STREAM, epoch).shuffle(order)
  return order
}

const ORDER_STREAM = 0x6e6572
