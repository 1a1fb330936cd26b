/**
 * Work by which variants of shared WGSL code are compared: kernels that stand for the others of their family, on made-up numbers,
 * with what they have to give, from sums in double precision.
 */
import type { Access } from './kernel.js'

/** Sizes of a product: rows x in times in x out. */
export interface ProductSizes {
  readonly rows: number
  readonly in: number
  readonly out: number
}

/** One call of a kernel. */
export interface Workload {
  readonly kernel: string
  readonly sizes: ProductSizes
  readonly buffers: readonly { readonly name: string; readonly access: Access; readonly data: Float32Array }[]
  /** The buffer that is judged. */
  readonly output: string
  /** What an element of it has to be. */
  expected(index: number): number
}

/** Shapes on which results are judged: with remainders in every direction, in rows that vectors of four fit and that they do not. */
export const JUDGED: readonly ProductSizes[] = [
  { rows: 131, in: 68, out: 140 },
  { rows: 37, in: 67, out: 45 },
]

/** Shapes on which time is taken: from one that the slowest adapter gets through in milliseconds to one of a model. */
export const TIMED: readonly ProductSizes[] = [
  { rows: 64, in: 128, out: 128 },
  { rows: 256, in: 256, out: 256 },
  { rows: 512, in: 512, out: 512 },
  { rows: 1024, in: 768, out: 768 },
]

/** How much there is to do for such a shape. */
export function products({ rows, in: n, out }: ProductSizes): number {
  return rows * n * out
}

/** Numbers within [-1, 1] that repeat themselves late. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

type Make = (sizes: ProductSizes) => Workload

/** Kernels that stand for their families, by name. */
export const WORKLOADS: readonly Make[] = [
  (sizes) => {
    const { rows, in: n, out } = sizes
    const [x, weight, bias] = [numbers(rows * n, 1), numbers(out * n, 2), numbers(out, 3)]
    return {
      kernel: 'linear_forward',
      sizes,
      buffers: [
        { name: 'x', access: 'read', data: x },
        { name: 'weight', access: 'read', data: weight },
        { name: 'bias', access: 'read', data: bias },
        { name: 'y', access: 'write', data: new Float32Array(rows * out) },
      ],
      output: 'y',
      expected(index) {
        const [r, o] = [Math.floor(index / out), index % out]
        let sum = bias[o]
        for (let i = 0; i < n; i++) sum += x[r * n + i] * weight[o * n + i]
        return sum
      },
    }
  },
  (sizes) => {
    const { rows, in: n, out } = sizes
    const [dy, weight] = [numbers(rows * out, 4), numbers(out * n, 5)]
    return {
      kernel: 'linear_backward_input',
      sizes,
      buffers: [
        { name: 'dy', access: 'read', data: dy },
        { name: 'weight', access: 'read', data: weight },
        { name: 'dx', access: 'write', data: new Float32Array(rows * n) },
      ],
      output: 'dx',
      expected(index) {
        const [r, i] = [Math.floor(index / n), index % n]
        let sum = 0
        for (let o = 0; o < out; o++) sum += dy[r * out + o] * weight[o * n + i]
        return sum
      },
    }
  },
  (sizes) => {
    const { rows, in: n, out } = sizes
    const [dy, x] = [numbers(rows * out, 6), numbers(rows * n, 7)]
    return {
      kernel: 'linear_backward_weight',
      sizes,
      buffers: [
        { name: 'dy', access: 'read', data: dy },
        { name: 'x', access: 'read', data: x },
        { name: 'dweight', access: 'accumulate', data: new Float32Array(out * n) },
        { name: 'dbias', access: 'accumulate', data: new Float32Array(out) },
      ],
      output: 'dweight',
      expected(index) {
        const [o, i] = [Math.floor(index / n), index % n]
        let sum = 0
        for (let r = 0; r < rows; r++) sum += dy[r * out + o] * x[r * n + i]
        return sum
      },
    }
  },
]
