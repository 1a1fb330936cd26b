/** Products: the three of a dense layer, whose operands lie in all the orders that there are, stored as f32 and as f16. */
import { toHalf } from '../half.js'
import { numbers, type Representative, representative, sumOf } from './workload.js'

/** rows x in times in x out. */
interface Sizes {
  readonly rows: number
  readonly in: number
  readonly out: number
}

/** How activations and the weight are stored, and what of a layer is asked. */
interface Storage {
  /** Behind the kernel's name. */
  readonly suffix: string
  readonly family?: string
  readonly judged: readonly Sizes[]
  readonly timed: readonly Sizes[]
  /** So many numbers that are stored without rounding. */
  made(count: number, seed: number): Float32Array
  stored(values: Float32Array): Float32Array | Uint16Array
}

const JUDGED = { rows: 131, in: 68, out: 140 }
const TIMED: readonly Sizes[] = [
  { rows: 64, in: 128, out: 128 },
  { rows: 256, in: 256, out: 256 },
  { rows: 512, in: 512, out: 512 },
]
const SINGLE: Storage = {
  suffix: '',
  judged: [JUDGED, { rows: 37, in: 67, out: 45 }],
  timed: [...TIMED, { rows: 1024, in: 768, out: 768 }],
  made: numbers,
  stored: (values) => values,
}
/** Rows of f16 are whole fours. The largest shape is one that fills a GPU with tiles of any size. */
const HALF: Storage = {
  suffix: '_f16',
  family: 'product_f16',
  judged: [JUDGED, { rows: 37, in: 20, out: 44 }],
  timed: [...TIMED, { rows: 2048, in: 768, out: 1536 }],
  made: (count, seed) => numbers(count, seed).map((x) => Math.round(x * 1024) / 1024),
  stored: (values) => toHalf(values, 'f16'),
}
const operations = ({ rows, in: n, out }: Sizes) => rows * n * out

function products({ suffix, family, judged, timed, made, stored }: Storage): Representative[] {
  const found = [
    representative(`linear_forward${suffix}`, judged, timed, operations, (params) => {
      const { rows, in: n, out } = params
      const [x, weight, bias] = [made(rows * n, 1), made(out * n, 2), numbers(out, 3)]
      return {
        params: { ...params },
        buffers: [
          { name: 'x', access: 'read', data: stored(x) },
          { name: 'weight', access: 'read', data: stored(weight) },
          { name: 'bias', access: 'read', data: bias },
          { name: 'y', access: 'write', data: stored(new Float32Array(rows * out)) },
        ],
        output: 'y',
        expected(index) {
          const [r, o] = [Math.floor(index / out), index % out]
          return bias[o] + sumOf(n, (i) => x[r * n + i] * weight[o * n + i])
        },
      }
    }),
    representative(`linear_backward_input${suffix}`, judged, timed, operations, (params) => {
      const { rows, in: n, out } = params
      const [dy, weight] = [made(rows * out, 4), made(out * n, 5)]
      return {
        params: { ...params },
        buffers: [
          { name: 'dy', access: 'read', data: stored(dy) },
          { name: 'weight', access: 'read', data: stored(weight) },
          { name: 'dx', access: 'write', data: stored(new Float32Array(rows * n)) },
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
      representative(`linear_backward_weight${suffix}`, judged, timed, operations, (params: Sizes) => {
        const { rows, in: n, out } = params
        const [dy, x] = [made(rows * out, 6), made(rows * n, 7)]
        return {
          params: { ...params },
          buffers: [
            { name: 'dy', access: 'read', data: stored(dy) },
            { name: 'x', access: 'read', data: stored(x) },
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
  return found.map((one) => ({ ...one, family }))
}

export const PRODUCTS: readonly Representative[] = [SINGLE, HALF].flatMap(products)
