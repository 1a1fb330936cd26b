/**
 * A weight [O,I] as an operand of products of 8-bit integers, in the order that the device's products read: each channel
 * w[o,:] is round(w / scale[o]) with scale[o] = max |w[o,:]| / 127. Such a product takes x of f32 and quantises each row of
 * it in the same way: y[n,o] = scale[n] scale[o] (sum of products of integers, exact) + bias[o]. Forward only.
 *
 * Symmetric quantisation by channel and, dynamically, by row: Zafrir et al. 2019, "Q8BERT"; Dettmers et al. 2022,
 * "LLM.int8()", section 2.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity } from './shape.js'

/** Sums of more products may leave 32 bits (kMostK in kernels/cpu/int8_gemm.h). */
const MOST_INNER = 32768

export const packInt8 = defineOp<Record<string, never>>({
  name: 'pack_int8',
  inputs: ['weight'],
  outputs: ['packed'],
  infer([weight]) {
    const { shape, dtype } = weight
    if (shape.length !== 2 || dtype !== 'f32' || capacity(shape[1]) > MOST_INNER)
      throw shapeError('pack_int8', { weight }, `weight f32 [O,I], I at most ${MOST_INNER}`)
    return [{ shape, dtype: 'packed_int8' }]
  },
  params: ({ weight }) => ({ out: capacity(weight.shape[0]), in: capacity(weight.shape[1]) }),
  forward: kernel('pack_int8_forward', { weight: 'read', packed: 'write' }, { out: 'u32', in: 'u32' }),
  flops: () => 0,
})
