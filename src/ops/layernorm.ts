/** Layer normalisation over the last dimension: y[n,h] = (x[n,h] - mean[n]) rstd[n] weight[h] + bias[h]. */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, f32, param, product, sameDim } from './shape.js'

/** Rows whose weight and bias gradients the CPU kernel sums into one partial (kNormBlock in row_norm.h). */
export const NORM_BLOCK = 64

/**
 * Operations on each element. Forward: sum, difference, its square and sum, factor, weight, bias. Backward: g = dy weight,
 * the normalised x (2), the sums of g and g x (3), gradients of weight and bias (3), dx (4).
 */
export const NORM_FLOPS = { forward: 7, backward: 13 } as const

export const layernorm = defineOp<{ eps: number }>({
  name: 'layernorm',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y', 'mean', 'rstd'],
  infer([x, weight, bias]) {
    const hidden = x.shape.at(-1)
    if (
      hidden === undefined ||
      typeof hidden !== 'number' ||
      weight.shape.length !== 1 ||
      !sameDim(weight.shape[0], hidden) ||
      bias.shape.length !== 1 ||
      !sameDim(bias.shape[0], hidden)
    )
      throw shapeError('layernorm', { x, weight, bias }, 'x [*,H], weight [H], bias [H]')
    const rows = product(x.shape.slice(0, -1))
    return [x, f32(rows), f32(rows)]
  },
  params: ({ x }, { eps }) => ({
    rows: param(product(x.shape.slice(0, -1))),
    hidden: capacity(x.shape.at(-1)!),
    eps,
  }),
  temporaries: ({ x }) => {
    const hidden = capacity(x.shape.at(-1)!)
    return { partial: f32(Math.ceil(elements(x) / hidden / NORM_BLOCK), 2, hidden) }
  },
  forward: kernel(
    'layernorm_forward',
    { x: 'read', weight: 'read', bias: 'read', y: 'write', mean: 'write', rstd: 'write' },
    { rows: 'u32', hidden: 'u32', eps: 'f32' },
  ),
  backward: [
    kernel(
      'layernorm_backward',
      {
        dy: 'read',
        x: 'read',
        weight: 'read',
        mean: 'read',
        rstd: 'read',
        dx: 'write',
        dweight: 'accumulate',
        dbias: 'accumulate',
        partial: 'scratch',
      },
      { rows: 'u32', hidden: 'u32' },
    ),
  ],
  flops: ({ x }) => NORM_FLOPS.forward * elements(x),
  work: (kernel, { x }) =>
    kernel === 'layernorm_backward' ? { flops: NORM_FLOPS.backward * elements(x) } : {},
})
