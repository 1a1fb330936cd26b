/**
 * Rows by index: y[m,h] = x[index[m],h]. An index below 0 or past the last row gives a row of zeros and sends no
 * gradient. Rows chosen several times get the sum of their gradients, in the order of m.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, isFloat, param, product } from './shape.js'

export const gather = defineOp<Record<string, never>>({
  name: 'gather',
  inputs: ['x', 'index'],
  outputs: ['y'],
  infer([x, index]) {
    if (x.shape.length < 1 || !isFloat(x.dtype) || index.shape.length !== 1 || isFloat(index.dtype))
      throw shapeError('gather', { x, index }, 'x f32, bf16 or f16 [N,*], index i32 [M]')
    return [{ shape: [index.shape[0], ...x.shape.slice(1)], dtype: x.dtype }]
  },
  params: ({ x, index }) => ({
    rows: param(x.shape[0]),
    picks: param(index.shape[0]),
    hidden: product(x.shape.slice(1)) as number,
  }),
  forward: kernel(
    'gather_forward',
    { x: 'read', index: 'read', y: 'write' },
    { rows: 'u32', picks: 'u32', hidden: 'u32' },
  ),
  backward: [
    kernel(
      'gather_backward',
      { dy: 'read', index: 'read', dx: 'accumulate' },
      { rows: 'u32', picks: 'u32', hidden: 'u32' },
    ),
  ],
  flops: () => 0,
  work(kernel, specs) {
    // of x no more rows than are picked
    const picks = capacity(specs.index.shape[0])
    const width = elements({ shape: specs.x.shape.slice(1), dtype: 'f32' })
    const touched = Math.min(picks, capacity(specs.x.shape[0]))
    return kernel === 'gather_forward'
      ? { bytes: 4 * (picks + (touched + picks) * width) }
      : { flops: picks * width, bytes: 4 * (picks + (2 * touched + picks) * width) }
  },
})
