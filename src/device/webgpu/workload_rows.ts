/** Work by rows and sums of long axes: who owns a row, and how a workgroup adds up. */
import { numbers, type Representative, representative, sumOf } from './workload.js'

interface Rows {
  readonly rows: number
  readonly columns: number
}

const JUDGED: readonly Rows[] = [
  { rows: 37, columns: 68 },
  { rows: 5, columns: 771 },
]
const TIMED: readonly Rows[] = [
  { rows: 32, columns: 256 },
  { rows: 256, columns: 256 },
  { rows: 1024, columns: 256 },
  { rows: 4096, columns: 768 },
]
const operations = ({ rows, columns }: Rows) => rows * columns
const EPS = 1e-12
/** The number of `sum` among the functions of a reduction. */
const SUM = 0

export const ROWS: readonly Representative[] = [
  representative('layernorm_forward', JUDGED, TIMED, operations, ({ rows, columns }) => {
    const x = numbers(rows * columns, 11)
    const [weight, bias] = [numbers(columns, 12), numbers(columns, 13)]
    return {
      params: { rows, hidden: columns, eps: EPS },
      buffers: [
        { name: 'x', access: 'read', data: x },
        { name: 'weight', access: 'read', data: weight },
        { name: 'bias', access: 'read', data: bias },
        { name: 'y', access: 'write', data: new Float32Array(rows * columns) },
        { name: 'mean', access: 'write', data: new Float32Array(rows) },
        { name: 'rstd', access: 'write', data: new Float32Array(rows) },
      ],
      output: 'y',
      expected(index) {
        const [row, h] = [index - (index % columns), index % columns]
        const mean = sumOf(columns, (i) => x[row + i]) / columns
        const variance = sumOf(columns, (i) => (x[row + i] - mean) ** 2) / columns
        return ((x[index] - mean) / Math.sqrt(variance + EPS)) * weight[h] + bias[h]
      },
    }
  }),
  representative('softmax_forward', JUDGED, TIMED, operations, ({ rows, columns }) => {
    const x = numbers(rows * columns, 14)
    return {
      params: { rows, columns, log: 0 },
      buffers: [
        { name: 'x', access: 'read', data: x },
        { name: 'y', access: 'write', data: new Float32Array(rows * columns) },
      ],
      output: 'y',
      expected(index) {
        const row = index - (index % columns)
        return Math.exp(x[index]) / sumOf(columns, (i) => Math.exp(x[row + i]))
      },
    }
  }),
]

/** Axes that are so long that a workgroup takes each of them. */
const LONG = { judged: [{ rows: 3, columns: 4100 }], timed: [8, 32, 128, 512] }

export const REDUCTIONS: readonly Representative[] = [
  representative(
    'reduce_forward',
    LONG.judged,
    LONG.timed.map((rows) => ({ rows, columns: 4096 })),
    operations,
    ({ rows, columns }) => {
      const x = numbers(rows * columns, 15)
      return {
        params: { outer: rows, axis: columns, inner: 1, fn: SUM },
        buffers: [
          { name: 'x', access: 'read', data: x },
          { name: 'y', access: 'write', data: new Float32Array(rows) },
        ],
        output: 'y',
        expected: (index) => sumOf(columns, (i) => x[index * columns + i]),
      }
    },
  ),
]
