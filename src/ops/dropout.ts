/**
 * Dropout: y = x / (1 - p) where a random word lets it, else 0 (Srivastava et al. 2014). The words come from Philox
 * with the run-time scalars `seed` and `draw`, the stream of this dropout and the iteration of the enclosing repeat;
 * the backward pass draws the same words again. Element e of x, row-major, is element e of plane 0.
 */
import { kernel } from '../device/kernel.js'
import { dropoutParams, dropoutSlots } from './attention.js'
import { defineOp, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

export const dropout = defineOp<{ p: number; stream: number }>({
  name: 'dropout',
  inputs: ['x'],
  outputs: ['y'],
  infer([x], { p }) {
    if (x.dtype !== 'f32' || !(p >= 0 && p < 1)) throw shapeError('dropout', { x }, `f32, p = ${p} in [0, 1)`)
    return [x]
  },
  params: ({ x }, { p, stream }) => ({
    count: param(product(x.shape)),
    ...dropoutParams(p, stream),
  }),
  forward: kernel('dropout_forward', { x: 'read', y: 'write' }, { count: 'u32', ...dropoutSlots }),
  backward: [kernel('dropout_backward', { dy: 'read', dx: 'write' }, { count: 'u32', ...dropoutSlots })],
  flops: ({ x }) => elements(x),
  work: (kernel, { x }) => (kernel === 'dropout_backward' ? { flops: elements(x) } : {}),
})
