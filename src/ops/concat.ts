/** Two tensors one after the other along an axis; the other dimensions agree. The axis is no run-time size. */
import { kernel } from '../device/kernel.js'
import { contiguous, copy } from './copy.js'
import { defineOp, shapeError } from './op.js'
import { capacity, param, product, sameDim } from './shape.js'

export const concat = defineOp<{ axis: number }>({
  name: 'concat',
  inputs: ['a', 'b'],
  outputs: ['y'],
  infer([a, b], { axis }) {
    const na = a.shape[axis]
    const nb = b.shape[axis]
    if (
      a.dtype !== b.dtype ||
      a.shape.length !== b.shape.length ||
      typeof na !== 'number' ||
      typeof nb !== 'number' ||
      !a.shape.every((d, i) => i === axis || sameDim(d, b.shape[i]))
    )
      throw shapeError('concat', { a, b }, `equal shapes but for axis ${axis}, whose sizes are fixed`)
    return [{ shape: a.shape.map((d, i) => (i === axis ? na + nb : d)), dtype: a.dtype }]
  },
  params({ a, b }, { axis }) {
    const inner = product(a.shape.slice(axis + 1)) as number
    return {
      outer: param(product(a.shape.slice(0, axis))),
      a_size: capacity(a.shape[axis]) * inner,
      b_size: capacity(b.shape[axis]) * inner,
    }
  },
  forward: kernel(
    'concat_forward',
    { a: 'read', b: 'read', y: 'write' },
    { outer: 'u32', a_size: 'u32', b_size: 'u32' },
  ),
  gradient(scope, { axis }) {
    const dy = scope.incoming('y')
    const strides = contiguous(dy.spec.shape)
    let start = 0
    for (const input of ['a', 'b'] as const) {
      const { shape } = scope.value(input).spec
      if (scope.wants(input))
        scope.give(input, scope.emit(copy, [dy], { shape, strides, offset: start * strides[axis] })[0])
      start += capacity(shape[axis])
    }
  },
  flops: () => 0,
})
