/**
 * Copies a strided view into a contiguous tensor: y[i0,i1,i2,i3] = x[offset + sum_k i_k stride_k]. Transpose, slice
 * and broadcast are views of this kind (a stride of 0 repeats). The gradient adds every dy onto the x it came from.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, type Dim, elements, param, product } from './shape.js'

/** Dimensions that the kernel walks; `shape` and `strides` are merged down to so many. */
export const COPY_RANK = 4

export type CopyAttrs = {
  readonly shape: readonly Dim[]
  readonly strides: readonly number[]
  readonly offset: number
}

/** Contiguous strides of a shape. */
export function contiguous(shape: readonly Dim[]): number[] {
  const strides: number[] = []
  let n = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides.unshift(n)
    const dim = shape[i]
    n *= typeof dim === 'number' ? dim : 1
  }
  return strides
}

/** Shape and strides with neighbours merged where they are contiguous, and 1s in front up to four. */
export function mergeStrides(
  shape: readonly Dim[],
  strides: readonly number[],
): { dims: Dim[]; steps: number[] } | undefined {
  const dims: Dim[] = []
  const steps: number[] = []
  shape.forEach((dim, i) => {
    const last = dims.length - 1
    if (dim === 1 && shape.length > 1) return
    if (last >= 0 && typeof dim === 'number' && steps[last] === strides[i] * dim) {
      dims[last] = product([dims[last], dim])
      steps[last] = strides[i]
    } else {
      dims.push(dim)
      steps.push(strides[i])
    }
  })
  if (dims.length > COPY_RANK) return undefined
  while (dims.length < COPY_RANK) {
    dims.unshift(1)
    steps.unshift(0)
  }
  return { dims, steps }
}

export const copy = defineOp<CopyAttrs>({
  name: 'copy',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { shape, strides }) {
    if (strides.length !== shape.length || !mergeStrides(shape, strides))
      throw shapeError('copy', { x }, 'a view that merges to four dimensions')
    return [{ shape, dtype: x.dtype }]
  },
  params(_, { shape, strides, offset }) {
    const { dims, steps } = mergeStrides(shape, strides)!
    return {
      ...Object.fromEntries(dims.map((d, i) => [`d${i}`, param(d)])),
      ...Object.fromEntries(steps.map((s, i) => [`s${i}`, s])),
      offset,
    }
  },
  forward: kernel(
    'copy_forward',
    { x: 'read', y: 'write' },
    { d0: 'u32', d1: 'u32', d2: 'u32', d3: 'u32', s0: 'i32', s1: 'i32', s2: 'i32', s3: 'i32', offset: 'u32' },
  ),
  backward: [
    kernel(
      'copy_backward',
      { dy: 'read', dx: 'accumulate' },
      {
        d0: 'u32',
        d1: 'u32',
        d2: 'u32',
        d3: 'u32',
        s0: 'i32',
        s1: 'i32',
        s2: 'i32',
        s3: 'i32',
        offset: 'u32',
      },
    ),
  ],
  flops: () => 0,
  work(kernel, { y }, { shape, strides }) {
    // of x, what the view shows; a stride of 0 shows the same element again
    const part = 4 * shape.reduce<number>((n, d, i) => (strides[i] === 0 ? n : n * capacity(d)), 1)
    const whole = 4 * elements(y)
    return kernel === 'copy_forward'
      ? { bytes: part + whole }
      : { flops: elements(y), bytes: whole + 2 * part }
  },
})
