/**
 * Place of the maximum over one axis: y[o,i] = the lowest k with the largest x[o,k,i], as i32. A NaN counts as larger than
 * everything, so the first NaN is the place; where a run-time axis holds nothing it is -1. No gradient.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { reducedShape } from './reduce.js'
import { elements, param, product } from './shape.js'

export const argmax = defineOp<{ axis: number; keep: boolean }>({
  name: 'argmax',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { axis, keep }) {
    if (!(Number.isInteger(axis) && axis >= 0 && axis < x.shape.length) || x.dtype !== 'f32')
      throw shapeError('argmax', { x }, `f32 with an axis ${axis}`)
    return [{ shape: reducedShape(x.shape, axis, keep), dtype: 'i32' }]
  },
  params: ({ x }, { axis }) => ({
    outer: param(product(x.shape.slice(0, axis))),
    axis: param(x.shape[axis]),
    inner: product(x.shape.slice(axis + 1)) as number,
  }),
  forward: kernel('argmax_forward', { x: 'read', y: 'write' }, { outer: 'u32', axis: 'u32', inner: 'u32' }),
  flops: ({ x }) => elements(x),
})
