/**
 * Examples as ragged micro-batches: packed one after the other up to a number of rows (pieces), nothing padded. Rows of
 * sequence b are cu_seqlens[b] to cu_seqlens[b+1] - 1; `scored_rows` holds the rows that the head looks at. Used by
 * fine-tuning, evaluation and prediction, whatever the head.
 */
import { Philox } from '../../data/random.js'
import type { Example, Head, HeadCapacity } from '../../model/head.js'

/** The inputs of a head's program and the run-time sizes that go with them. */
export interface Batch {
  readonly inputs: Readonly<Record<string, Int32Array | Float32Array>>
  readonly scalars: { readonly rows: number; readonly sequences: number; readonly scored: number }
}

/** What programs for batches of at most `rows` pieces, `length` of a sequence, are captured for: a sequence has two at least. */
export function capacityOf(rows: number, length: number): HeadCapacity {
  return { rows, sequences: Math.ceil(rows / 2), scored: rows, length }
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

/** One micro-batch, with targets where `labelled`; `length` is that of the program's capacity. */
export function collate(
  head: Pick<Head, 'inputs'>,
  examples: readonly Example[],
  length: number,
  labelled: boolean,
): Batch {
  const rows = examples.reduce((n, { ids }) => n + ids.length, 0)
  const count = examples.reduce((n, { scored }) => n + scored.length, 0)
  const ids = new Int32Array(rows)
  const segments = new Int32Array(rows)
  const positions = new Int32Array(rows)
  const cuSeqlens = new Int32Array(examples.length + 1)
  const scoredRows = new Int32Array(count)
  let row = 0
  let next = 0
  examples.forEach((example, i) => {
    const { length } = example.ids
    ids.set(example.ids, row)
    segments.fill(1, row + (example.second ?? length), row + length)
    for (let p = 0; p < length; p++) positions[row + p] = p
    for (const at of example.scored) scoredRows[next++] = row + at
    row += length
    cuSeqlens[i + 1] = row
  })
  return {
    inputs: {
      ids,
      segments,
      positions,
      cu_seqlens: cuSeqlens,
      scored_rows: scoredRows,
      ...head.inputs(examples, labelled, length),
    },
    scalars: { rows, sequences: examples.length, scored: count },
  }
}

/** The numbers 0 to count - 1 in the order in which epoch `epoch` trains them. */
export function epochOrder(count: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  new Philox(seed, ORDER_STREAM, epoch).shuffle(order)
  return order
}

/** Of the order of epochs; a number that lasts, so that runs end in the same bits from one version to the next. */
const ORDER_STREAM = 0x6e6572
