/** y = x * by, and * a run-time scalar if one is named. */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

export const scale = defineOp<{
  by: number
  /** Name of a run-time scalar that also multiplies; '' for none. */
  scalar: string
}>({
  name: 'scale',
  inputs: ['x'],
  outputs: ['y'],
  infer([x]) {
    if (x.dtype !== 'f32') throw shapeError('scale', { x }, 'f32')
    return [x]
  },
  params: ({ x }, { by, scalar }) => ({
    count: param(product(x.shape)),
    factor: scalar === '' ? by : { scalar, times: by },
  }),
  forward: kernel('scale_forward', { x: 'read', y: 'write' }, { count: 'u32', factor: 'f32' }),
  gradient(scope, attrs) {
    if (scope.wants('x')) scope.give('x', scope.emit(scale, [scope.incoming('y')], attrs)[0])
  },
  flops: ({ x }) => elements(x),
})
