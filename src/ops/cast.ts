/**
 * The same values as f32, or as bf16 or f16, rounded to the nearest with ties to even; the gradient is cast back. Integers (i32) to
 * f32 likewise, without a gradient.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { type FloatType, isFloat, isHalf, param, product } from './shape.js'

export const cast = defineOp<{ to: FloatType }>({
  name: 'cast',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { to }) {
    const fits = isFloat(x.dtype) ? isHalf(x.dtype) !== isHalf(to) : x.dtype === 'i32' && to === 'f32'
    if (!fits)
      throw shapeError('cast', { x }, `f32 to bf16 or f16, these or i32 to f32, and not ${x.dtype} to ${to}`)
    return [{ shape: x.shape, dtype: to }]
  },
  params: ({ x }, { to }) => ({ count: param(product(x.shape)), narrow: isHalf(to) ? 1 : 0 }),
  forward: kernel('cast_forward', { x: 'read', y: 'write' }, { count: 'u32', narrow: 'u32' }),
  gradient(scope) {
    const { dtype } = scope.value('x').spec
    if (scope.wants('x') && isFloat(dtype))
      scope.give('x', scope.emit(cast, [scope.incoming('y')], { to: dtype })[0])
  },
  flops: () => 0,
})
