/**
 * Dropout, residual and layer normalisation in one pass, the end of both halves of a transformer block:
 * sum = residual + dropout(x), y = LN(sum) weight + bias; x, residual, sum, y [N,H]. `sum` is saved for backward.
 * Element h of row n is element h of plane n of the random words (kernels/cpu/philox.h).
 */
import { kernel } from '../device/kernel.js'
import { ITERATION } from '../device/program.js'
import { NORM_BLOCK, NORM_FLOPS } from './layernorm.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, f32, param, sameShape } from './shape.js'

export type DropoutAddLayernormAttrs = {
  readonly eps: number
  /** Dropout probability; 0 draws nothing. */
  readonly p: number
  /** Tells the dropouts of a model apart. */
  readonly stream: number
}

export const dropoutAddLayernorm = defineOp<DropoutAddLayernormAttrs>({
  name: 'dropout_add_layernorm',
  inputs: ['x', 'residual', 'weight', 'bias'],
  outputs: ['y', 'sum', 'mean', 'rstd'],
  infer([x, residual, weight, bias], { p }) {
    const [rows, hidden] = x.shape
    const isRow = [weight, bias].every((s) => s.shape.length === 1 && s.shape[0] === hidden)
    if (
      x.shape.length !== 2 ||
      typeof hidden !== 'number' ||
      !sameShape(x.shape, residual.shape) ||
      x.dtype !== residual.dtype ||
      !isRow ||
      !(p >= 0 && p < 1)
    )
      throw shapeError(
        'dropout_add_layernorm',
        { x, residual, weight, bias },
        'x [N,H], residual [N,H] of one type, weight [H], bias [H], 0 <= p < 1',
      )
    return [x, x, f32(rows), f32(rows)]
  },
  params: ({ x }, { eps, p, stream }) => ({
    rows: param(x.shape[0]),
    hidden: capacity(x.shape[1]),
    eps,
    p,
    seed: { scalar: 'seed', times: 1 },
    draw: { scalar: 'draw', times: 1 },
    stream,
    layer: { scalar: ITERATION, times: 1 },
  }),
  temporaries: ({ x }) => ({
    partial: f32(Math.ceil(capacity(x.shape[0]) / NORM_BLOCK), 2, capacity(x.shape[1])),
  }),
  forward: kernel(
    'dropout_add_layernorm_forward',
    {
      x: 'read',
      residual: 'read',
      weight: 'read',
      bias: 'read',
      y: 'write',
      sum: 'write',
      mean: 'write',
      rstd: 'write',
    },
    {
      rows: 'u32',
      hidden: 'u32',
      eps: 'f32',
      p: 'f32',
      seed: 'u32',
      draw: 'u32',
      stream: 'u32',
      layer: 'u32',
    },
  ),
  backward: [
    kernel(
      'dropout_add_layernorm_backward',
      {
        dy: 'read',
        sum: 'read',
        weight: 'read',
        mean: 'read',
        rstd: 'read',
        dx: 'write',
        dresidual: 'write',
        dweight: 'accumulate',
        dbias: 'accumulate',
        partial: 'scratch',
      },
      { rows: 'u32', hidden: 'u32', p: 'f32', seed: 'u32', draw: 'u32', stream: 'u32', layer: 'u32' },
    ),
  ],
  // normalisation, sum, and two of dropout where there is any
  flops: ({ x }, { p }) => (NORM_FLOPS.forward + (p > 0 ? 3 : 1)) * elements(x),
  work: (kernel, { x }, { p }) =>
    kernel === 'dropout_add_layernorm_backward'
      ? { flops: (NORM_FLOPS.backward + (p > 0 ? 2 : 0)) * elements(x) }
      : {},
})
