/**
 * Dropout: y = x / (1 - p) where a random word lets it, else 0 (Srivastava et al. 2014). The words come from Philox
 * with the run-time scalars `seed` and `draw`, the stream of this dropout and the iteration of the enclosing repeat;
 * the backward pass draws the same words again. Element e of x, row-major, is element e of plane 0.
 */
import { kernel } from '../device/kernel.js'
import { ITERATION } from '../device/program.js'
import { defineOp, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

const random = { p: 'f32', seed: 'u32', draw: 'u32', stream: 'u32', layer: 'u32' } as const

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
    p,
    seed: { scalar: 'seed', times: 1 },
    draw: { scalar: 'draw', times: 1 },
    stream,
    layer: { scalar: ITERATION, times: 1 },
  }),
  forward: kernel('dropout_forward', { x: 'read', y: 'write' }, { count: 'u32', ...random }),
  backward: [kernel('dropout_backward', { dy: 'read', dx: 'write' }, { count: 'u32', ...random })],
  flops: ({ x }) => elements(x),
})
