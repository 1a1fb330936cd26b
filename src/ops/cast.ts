/**
 * The same values as f32 or as bf16, rounded to the nearest with ties to even; the gradient is cast back. Integers (i32) to
 * f32 likewise, without a gradient.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { type FloatType, isFloat, param, product } from './shape.js'

export const cast = defineOp<{ to: FloatType }>({
  name: 'cast',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { to }) {
    const fits = isFloat(x.dtype) ? x.dtype !== to : x.dtype === 'i32' && to === 'f32'
    if (!fits) throw shapeError('cast', { x }, `f32 or bf16, and not ${to}, or i32 to f32`)
    return [{ shape: x.shape, dtype: to }]
  },
  params: ({ x }, { to }) => ({ count: param(product(x.shape)), narrow: to === 'bf16' ? 1 : 0 }),
  forward: kernel('cast_forward', { x: 'read', y: 'write' }, { count: 'u32', narrow: 'u32' }),
  gradient(scope, { to }) {
    if (scope.wants('x'))
      scope.give('x', scope.emit(cast, [scope.incoming('y')], { to: to === 'f32' ? 'bf16' : 'f32' })[0])
  },
  flops: () => 0,
})
