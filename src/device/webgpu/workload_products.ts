/** Products: the three of a dense layer, whose operands lie in all the orders that there are. */
import { numbers, type Representative, representative, sumOf } from './workload.js'

/** rows x in times in x out. */
interface Sizes {
  readonly rows: number
  readonly in: number
  readonly out: number
}

const JUDGED: readonly Sizes[] = [
  { rows: 131, in: 68, out: 140 },
  { rows: 37, in: 67, out: 45 },
]
const TIMED: readonly Sizes[] = [
  { rows: 64, in: 128, out: 128 },
  { rows: 256, in: 256, out: 256 },
  { rows: 512, in: 512, out: 512 },
  { rows: 1024, in: 768, out: 768 },
]
const operations = ({ rows, in: n, out }: Sizes) => rows * n * out

export const PRODUCTS: readonly Representative[] = [
  representative('linear_forward', JUDGED, TIMED, operations, (params) => {
    const { rows, in: n, out } = params
    const [x, weight, bias] = [numbers(rows * n, 1), numbers(out * n, 2), numbers(out, 3)]
    return {
      params: { ...params },
      buffers: [
        { name: 'x', access: 'read', data: x },
        { name: 'weight', access: 'read', data: weight },
        { name: 'bias', access: 'read', data: bias },
        { name: 'y', access: 'write', data: new Float32Array(rows * out) },
      ],
      output: 'y',
      expected(index) {
        const [r, o] = [Math.floor(index / out), index % out]
        return bias[o] + sumOf(n, (i) => x[r * n + i] * weight[o * n + i])
      },
    }
  }),
  representative('linear_backward_input', JUDGED, TIMED, operations, (params) => {
    const { rows, in: n, out } = params
    const [dy, weight] = [numbers(rows * out, 4), numbers(out * n, 5)]
    return {
      params: { ...params },
      buffers: [
        { name: 'dy', access: 'read', data: dy },
        { name: 'weight', access: 'read', data: weight },
        { name: 'dx', access: 'write', data: new Float32Array(rows * n) },
      ],
      output: 'dx',
      expected(index) {
        const [r, i] = [Math.floor(index / n), index % n]
        return sumOf(out, (o) => dy[r * out + o] * weight[o * n + i])
      },
    }
  }),
  // each time one of the two that it makes is judged
  ...(['dweight', 'dbias'] as const).map((output) =>
    representative('linear_backward_weight', JUDGED, TIMED, operations, (params: Sizes) => {
      const { rows, in: n, out } = params
      const [dy, x] = [numbers(rows * out, 6), numbers(rows * n, 7)]
      return {
        params: { ...params },
        buffers: [
          { name: 'dy', access: 'read', data: dy },
          { name: 'x', access: 'read', data: x },
          { name: 'dweight', access: 'accumulate', data: new Float32Array(out * n) },
          { name: 'dbias', access: 'accumulate', data: new Float32Array(out) },
        ],
        output,
        expected(index) {
          if (output === 'dbias') return sumOf(rows, (r) => dy[r * out + index])
          const [o, i] = [Math.floor(index / n), index % n]
          return sumOf(rows, (r) => dy[r * out + o] * x[r * n + i])
        },
      }
    }),
  ),
]
