/**
 * Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o]. x of bf16 goes with a weight that was packed (pack.ts), and
 * gives bf16; the gradients of weight and bias are f32 either way. x of f32 may go with a weight of 8-bit integers
 * (pack_int8.ts), then without gradients.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, type Dim, elements, param, product, type Spec } from './shape.js'

/** Shape of a dense layer's result. Throws when the operands do not fit. */
export function linearShape(op: string, x: Spec, weight: Spec, bias: Spec): Dim[] {
  const [out, inner] = weight.shape
  if (
    weight.shape.length !== 2 ||
    bias.shape.length !== 1 ||
    x.shape.length < 1 ||
    x.shape.at(-1) !== inner ||
    bias.shape[0] !== out ||
    bias.dtype !== 'f32' ||
    !(x.dtype === 'bf16' ? ['packed'] : ['f32', 'packed_int8']).includes(weight.dtype)
  )
    throw shapeError(
      op,
      { x, weight, bias },
      'x [*,I], weight [O,I], packed for x of bf16, f32 or packed_int8 for x of f32, bias [O]',
    )
  return [...x.shape.slice(0, -1), out]
}

export const linear = defineOp<Record<string, never>>({
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y'],
  infer: ([x, weight, bias]) => [{ shape: linearShape('linear', x, weight, bias), dtype: x.dtype }],
  params: ({ x, weight }) => ({
    rows: param(product(x.shape.slice(0, -1))),
    in: capacity(weight.shape[1]),
    out: capacity(weight.shape[0]),
  }),
  forward: kernel(
    'linear_forward',
    { x: 'read', weight: 'read', bias: 'read', y: 'write' },
    { rows: 'u32', in: 'u32', out: 'u32' },
    { multiplies: true },
  ),
  backward: [
    kernel(
      'linear_backward_input',
      { dy: 'read', weight: 'read', dx: 'write' },
      { rows: 'u32', in: 'u32', out: 'u32' },
      { multiplies: true },
    ),
    kernel(
      'linear_backward_weight',
      { dy: 'read', x: 'read', dweight: 'accumulate', dbias: 'accumulate' },
      { rows: 'u32', in: 'u32', out: 'u32' },
      { multiplies: true },
    ),
  ],
  flops: ({ x, weight }) => 2 * elements(x) * capacity(weight.shape[0]),
})
