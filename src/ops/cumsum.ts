/** Running sums along one axis: y[o,k,i] = sum of x[o,j,i] over j <= k, or over j >= k (`reverse`), which is the gradient. */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

export const cumsum = defineOp<{ axis: number; reverse: boolean }>({
  name: 'cumsum',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { axis }) {
    if (!(Number.isInteger(axis) && axis >= 0 && axis < x.shape.length) || x.dtype !== 'f32')
      throw shapeError('cumsum', { x }, `f32 with an axis ${axis}`)
    return [x]
  },
  params: ({ x }, { axis, reverse }) => ({
    outer: param(product(x.shape.slice(0, axis))),
    axis: param(x.shape[axis]),
    inner: product(x.shape.slice(axis + 1)) as number,
    reverse: reverse ? 1 : 0,
  }),
  forward: kernel(
    'cumsum_forward',
    { x: 'read', y: 'write' },
    { outer: 'u32', axis: 'u32', inner: 'u32', reverse: 'u32' },
  ),
  gradient(scope, { axis, reverse }) {
    if (scope.wants('x'))
      scope.give('x', scope.emit(cumsum, [scope.incoming('y')], { axis, reverse: !reverse })[0])
  },
  flops: ({ x }) => elements(x),
})
