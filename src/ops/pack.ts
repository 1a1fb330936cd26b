/**
 * A weight [O,I] as an operand of bf16 products: rounded to bf16, in the order that the device's products read, with
 * `gradient` for the input gradient too. Packed once, it serves every use of the weight in a step; gradients of it are
 * gradients of the f32 weight.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity } from './shape.js'

export const pack = defineOp<{ gradient: boolean }>({
  name: 'pack',
  inputs: ['weight'],
  outputs: ['packed'],
  represents: 'weight',
  infer([weight]) {
    if (weight.shape.length !== 2 || weight.dtype !== 'f32')
      throw shapeError('pack', { weight }, 'weight f32 [O,I]')
    return [{ shape: weight.shape, dtype: 'packed' }]
  },
  params: ({ weight }, { gradient }) => ({
    out: capacity(weight.shape[0]),
    in: capacity(weight.shape[1]),
    gradient: gradient ? 1 : 0,
  }),
  forward: kernel(
    'pack_forward',
    { weight: 'read', packed: 'write' },
    { out: 'u32', in: 'u32', gradient: 'u32' },
  ),
  flops: () => 0,
})
