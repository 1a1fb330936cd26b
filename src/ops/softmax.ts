/** Softmax over the last dimension, y[n,c] = exp(x[n,c]) / sum_c exp(x[n,c]), or its logarithm. */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, param, product } from './shape.js'

export const softmax = defineOp<{ log: boolean }>({
  name: 'softmax',
  inputs: ['x'],
  outputs: ['y'],
  infer([x]) {
    if (x.dtype !== 'f32' || typeof x.shape.at(-1) !== 'number')
      throw shapeError('softmax', { x }, 'f32 [*,C]')
    return [x]
  },
  params: ({ x }, { log }) => ({
    rows: param(product(x.shape.slice(0, -1))),
    columns: capacity(x.shape.at(-1)!),
    log: log ? 1 : 0,
  }),
  forward: kernel('softmax_forward', { x: 'read', y: 'write' }, { rows: 'u32', columns: 'u32', log: 'u32' }),
  backward: [
    kernel(
      'softmax_backward',
      { dy: 'read', y: 'read', dx: 'write' },
      { rows: 'u32', columns: 'u32', log: 'u32' },
    ),
  ],
  // largest, difference, exponential, sum, factor; backward: dy y (or exp y), its sum, difference, factor
  flops: ({ x }) => 5 * elements(x),
  work: (kernel, { x }) => (kernel === 'softmax_backward' ? { flops: 4 * elements(x) } : {}),
})
