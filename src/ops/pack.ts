/**
 * A weight [O,I] as an operand of products of activations of two bytes. To bf16: in the order that the device's products read,
 * with `gradient` for the input gradient too. To f16: row-major. Packed once, it serves every use of the weight in a step;
 * gradients of it are gradients of the f32 weight.
 */
import { type HalfType, kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity } from './shape.js'

export const pack = defineOp<{ readonly to: HalfType; readonly gradient: boolean }>({
  name: 'pack',
  inputs: ['weight'],
  outputs: ['packed'],
  represents: 'weight',
  infer([weight], { to }) {
    if (weight.shape.length !== 2 || weight.dtype !== 'f32')
      throw shapeError('pack', { weight }, 'weight f32 [O,I]')
    return [{ shape: weight.shape, dtype: to === 'bf16' ? 'packed' : to }]
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
