/** Attention over ragged sequences, without dropout and causality: forward and its gradient. */
import { numbers, type Representative, representative, sumOf, type Workload } from './workload.js'

interface Sizes {
  readonly lengths: readonly number[]
  readonly heads: number
  readonly hidden: number
}

const JUDGED: readonly Sizes[] = [
  { lengths: [1, 27, 60, 33], heads: 2, hidden: 128 },
  { lengths: [40, 5], heads: 3, hidden: 30 },
]
const TIMED: readonly Sizes[] = [
  { lengths: [27], heads: 4, hidden: 256 },
  { lengths: [27, 60, 41], heads: 4, hidden: 256 },
  { lengths: [128, 60, 128, 27], heads: 4, hidden: 256 },
  { lengths: [512, 128, 128, 60, 27, 41], heads: 12, hidden: 768 },
]
const operations = ({ lengths, hidden }: Sizes) => lengths.reduce((sum, n) => sum + n * n * hidden, 0)

/** A function of a row and a column of so many, computed once for each. */
function remembered(columns: number, f: (row: number, column: number) => number) {
  const known = new Map<number, number>()
  return (row: number, column: number): number => {
    const key = row * columns + column
    const value = known.get(key) ?? f(row, column)
    known.set(key, value)
    return value
  }
}

/** Formulas of one batch in double precision; rows are those of all sequences. */
function attentionOf({ lengths, heads, hidden }: Sizes) {
  const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b))
  const starts = [0, ...ends]
  const rows = starts[lengths.length]
  const width = hidden / heads
  const [qkv, dy] = [numbers(rows * 3 * hidden, 21), numbers(rows * hidden, 22)]
  /** First and end row of the sequence of a row. */
  const rangeOf = (row: number): [number, number] => {
    const b = ends.findIndex((end) => row < end)
    return [starts[b], ends[b]]
  }
  /** Element d of the query (0), key (1) or value (2) of a row. */
  const at = (third: number, row: number, head: number, d: number) =>
    qkv[row * 3 * hidden + third * hidden + head * width + d]
  const score = (i: number, j: number, head: number) =>
    sumOf(width, (d) => at(0, i, head, d) * at(1, j, head, d)) / Math.sqrt(width)
  const lse = remembered(heads, (i, head) => {
    const [from, end] = rangeOf(i)
    return Math.log(sumOf(end - from, (j) => Math.exp(score(i, from + j, head))))
  })
  const p = (i: number, j: number, head: number) => Math.exp(score(i, j, head) - lse(i, head))
  const y = remembered(hidden, (i, h) => {
    const [from, end] = rangeOf(i)
    const [head, d] = [Math.floor(h / width), h % width]
    return sumOf(end - from, (j) => p(i, from + j, head) * at(2, from + j, head, d))
  })
  return { starts, rows, width, qkv, dy, rangeOf, at, lse, p, y }
}

const paramsOf = ({ lengths, heads, hidden }: Sizes, rows: number) => ({
  ...{ rows, sequences: lengths.length, heads, hidden, causal: 0 },
  ...{ p: 0, seed: 0, draw: 0, stream: 0, layer: 0 },
})

function forward(sizes: Sizes): Workload {
  const { starts, rows, qkv, y } = attentionOf(sizes)
  const { heads, hidden } = sizes
  return {
    params: paramsOf(sizes, rows),
    buffers: [
      { name: 'qkv', access: 'read', data: qkv },
      { name: 'cu_seqlens', access: 'read', data: Int32Array.from(starts) },
      { name: 'y', access: 'write', data: new Float32Array(rows * hidden) },
      { name: 'lse', access: 'write', data: new Float32Array(rows * heads) },
    ],
    output: 'y',
    expected: (index) => y(Math.floor(index / hidden), index % hidden),
  }
}

/** What forward saves is made here only if results are judged: for times any numbers do. */
function backward(sizes: Sizes, saved: boolean): Workload {
  const { starts, rows, width, qkv, dy, rangeOf, at, lse, p, y } = attentionOf(sizes)
  const { heads, hidden } = sizes
  const grid = (columns: number, f: (row: number, column: number) => number) =>
    Float32Array.from({ length: rows * columns }, (_, i) =>
      saved ? f(Math.floor(i / columns), i % columns) : 1,
    )
  const incoming = (i: number, head: number, d: number) => dy[i * hidden + head * width + d]
  const delta = remembered(heads, (i, head) =>
    sumOf(width, (d) => incoming(i, head, d) * y(i, head * width + d)),
  )
  const ds = (i: number, j: number, head: number) =>
    p(i, j, head) * (sumOf(width, (d) => incoming(i, head, d) * at(2, j, head, d)) - delta(i, head))
  return {
    params: paramsOf(sizes, rows),
    buffers: [
      { name: 'dy', access: 'read', data: dy },
      { name: 'qkv', access: 'read', data: qkv },
      { name: 'cu_seqlens', access: 'read', data: Int32Array.from(starts) },
      { name: 'y', access: 'read', data: grid(hidden, y) },
      { name: 'lse', access: 'read', data: grid(heads, lse) },
      { name: 'dqkv', access: 'write', data: new Float32Array(rows * 3 * hidden) },
    ],
    output: 'dqkv',
    expected(index) {
      const [row, place] = [Math.floor(index / (3 * hidden)), index % (3 * hidden)]
      const [third, head, d] = [
        Math.floor(place / hidden),
        Math.floor((place % hidden) / width),
        place % width,
      ]
      const [from, end] = rangeOf(row)
      const sum = (f: (other: number) => number) => sumOf(end - from, (k) => f(from + k))
      if (third === 0) return sum((j) => ds(row, j, head) * at(1, j, head, d)) / Math.sqrt(width)
      if (third === 1) return sum((i) => ds(i, row, head) * at(0, i, head, d)) / Math.sqrt(width)
      return sum((i) => p(i, row, head) * incoming(i, head, d))
    },
  }
}

export const ATTENTION: readonly Representative[] = [
  representative('attention_forward', JUDGED, TIMED, operations, forward),
  {
    kernel: 'attention_backward',
    judged: JUDGED.map((sizes) => () => backward(sizes, true)),
    timed: TIMED.map((sizes) => ({ operations: operations(sizes), make: () => backward(sizes, false) })),
  },
]
