/** Adds onto what is there: y += x. The only op that changes a tensor in place; gradients are gathered with it. */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

export const accumulate = defineOp<Record<string, never>>({
  name: 'accumulate',
  inputs: ['x', 'y'],
  outputs: [],
  infer([x, y]) {
    if (elements(x) !== elements(y) || x.dtype !== y.dtype)
      throw shapeError('accumulate', { x, y }, 'equal sizes and types')
    return []
  },
  params: ({ x }) => ({ count: param(product(x.shape)) }),
  forward: kernel('accumulate_forward', { x: 'read', y: 'accumulate' }, { count: 'u32' }),
  flops: ({ x }) => elements(x),
})
