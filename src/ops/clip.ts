/** y = x held within [low, high]. The gradient passes where low <= x <= high, is 0 elsewhere; a NaN stays one. */
import { kernel } from '../device/kernel.js'
import { defineOp, ShapeError, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

const params = { count: 'u32', low: 'f32', high: 'f32' } as const

export const clip = defineOp<{ low: number; high: number }>({
  name: 'clip',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { low, high }) {
    if (x.dtype !== 'f32') throw shapeError('clip', { x }, 'f32')
    if (!(low <= high)) throw new ShapeError(`clip: low is ${low}, high is ${high} (want low <= high)`)
    return [x]
  },
  params: ({ x }, { low, high }) => ({ count: param(product(x.shape)), low, high }),
  forward: kernel('clip_forward', { x: 'read', y: 'write' }, params),
  backward: [kernel('clip_backward', { dy: 'read', x: 'read', dx: 'write' }, params)],
  // two comparisons, forward and backward
  flops: ({ x }) => 2 * elements(x),
  work: (_, { x }) => ({ flops: 2 * elements(x) }),
})
