/** Sum, mean or maximum over one axis: y[o,i] = fn over k of x[o,k,i]. Of equal maxima the first gets the gradient. */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { type Dim, elements, param, product } from './shape.js'

export const REDUCE_FUNCTIONS = ['sum', 'mean', 'max'] as const
export type ReduceFunction = (typeof REDUCE_FUNCTIONS)[number]

/** Shape after reducing `axis`. */
export function reducedShape(shape: readonly Dim[], axis: number, keep: boolean): Dim[] {
  return shape.flatMap((d, i) => (i !== axis ? [d] : keep ? [1] : []))
}

const backward = kernel(
  'reduce_backward',
  { dy: 'read', dx: 'write' },
  { outer: 'u32', axis: 'u32', inner: 'u32', fn: 'u32' },
)
const backwardMax = kernel(
  'reduce_backward_max',
  { dy: 'read', x: 'read', y: 'read', dx: 'write' },
  { outer: 'u32', axis: 'u32', inner: 'u32' },
)

export const reduce = defineOp<{ fn: ReduceFunction; axis: number; keep: boolean }>({
  name: 'reduce',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { axis, keep }) {
    if (!(Number.isInteger(axis) && axis >= 0 && axis < x.shape.length) || x.dtype !== 'f32')
      throw shapeError('reduce', { x }, `f32 with an axis ${axis}`)
    return [{ shape: reducedShape(x.shape, axis, keep), dtype: 'f32' }]
  },
  params: ({ x }, { fn, axis }) => ({
    outer: param(product(x.shape.slice(0, axis))),
    axis: param(x.shape[axis]),
    inner: product(x.shape.slice(axis + 1)) as number,
    fn: REDUCE_FUNCTIONS.indexOf(fn),
  }),
  forward: kernel(
    'reduce_forward',
    { x: 'read', y: 'write' },
    { outer: 'u32', axis: 'u32', inner: 'u32', fn: 'u32' },
  ),
  kernels: [backward, backwardMax],
  // by hand, so that sum and mean need not keep x until the backward pass
  gradient(scope, attrs) {
    if (!scope.wants('x')) return
    const x = scope.value('x')
    const y = scope.value('y')
    const dx = scope.fresh(x.spec)
    scope.call(
      reduce,
      attrs.fn === 'max' ? backwardMax : backward,
      { x, y, dy: scope.incoming('y'), dx },
      attrs,
    )
    scope.give('x', dx)
  },
  flops: ({ x }) => elements(x),
  // a copy of dy, its share, or a comparison
  work: (kernel, { x }, { fn }) =>
    kernel === 'reduce_forward' ? {} : { flops: fn === 'sum' ? 0 : elements(x) },
})
