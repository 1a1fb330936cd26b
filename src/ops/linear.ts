/**
 * Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o]. x of bf16 or f16 goes with a weight that was packed for it
 * (pack.ts), and gives its type; the gradients of weight and bias are f32 either way. x of f32 may go with a weight of 8-bit integers
 * (pack_int8.ts), then without gradients.
 *
 * The gradient of x may be joined with another tensor of its shape while it is in registers: with what x has of gradient
 * already, which is added, or with the z of the GELU that made x, by whose derivative there it is multiplied.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, type GradientScope, shapeError, type Value } from './op.js'
import { capacity, type Dim, type DType, elements, param, product, type Spec } from './shape.js'

/** What a weight may be, for each type of activations. */
const WEIGHTS: Readonly<Partial<Record<DType, readonly DType[]>>> = {
  f32: ['f32', 'packed_int8'],
  bf16: ['packed'],
  f16: ['f16'],
}

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
    !(WEIGHTS[x.dtype] ?? []).includes(weight.dtype)
  )
    throw shapeError(
      op,
      { x, weight, bias },
      'x [*,I], weight [O,I], packed for x of bf16, f16 for x of f16, f32 or packed_int8 for x of f32, bias [O]',
    )
  return [...x.shape.slice(0, -1), out]
}

/** What `linear_backward_input_joined` makes of dy weight and `other`; the number of each is its place in this list. */
export const JOINS = ['add', 'gelu_tanh', 'gelu_erf'] as const
export type Join = (typeof JOINS)[number]

const sizes = { rows: 'u32', in: 'u32', out: 'u32' } as const

const toInput = kernel('linear_backward_input', { dy: 'read', weight: 'read', dx: 'write' }, sizes, {
  multiplies: true,
})

/** dx = dy weight + other, or dy weight times the derivative of GELU at other. */
const toInputJoined = kernel(
  'linear_backward_input_joined',
  { dy: 'read', weight: 'read', other: 'read', dx: 'write' },
  { ...sizes, join: 'u32' },
  { multiplies: true },
)

const toWeight = kernel(
  'linear_backward_weight',
  { dy: 'read', x: 'read', dweight: 'accumulate', dbias: 'accumulate' },
  sizes,
  { multiplies: true },
)

export const linear = defineOp<{ readonly join?: Join }>({
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y'],
  infer: ([x, weight, bias]) => [{ shape: linearShape('linear', x, weight, bias), dtype: x.dtype }],
  params: ({ x, weight }, { join = 'add' }) => ({
    rows: param(product(x.shape.slice(0, -1))),
    in: capacity(weight.shape[1]),
    out: capacity(weight.shape[0]),
    join: JOINS.indexOf(join),
  }),
  forward: kernel('linear_forward', { x: 'read', weight: 'read', bias: 'read', y: 'write' }, sizes, {
    multiplies: true,
  }),
  kernels: [toInput, toInputJoined, toWeight],
  gradient: (scope) => linearGradients(scope, scope.incoming('y')),
  flops: ({ x, weight }) => 2 * elements(x) * capacity(weight.shape[0]),
  // each a product of as many operations as the forward one
  work: (_, { x, weight }) => ({ flops: 2 * elements(x) * capacity(weight.shape[0]) }),
})

/** Emits the gradients of the inputs x, weight and bias of a dense layer, for the gradient `dy` of its result. */
export function linearGradients(scope: GradientScope, dy: Value): void {
  const [x, weight] = [scope.value('x'), scope.value('weight')]
  if (scope.wants('x')) {
    const dx = scope.fresh(x.spec)
    const other = scope.sum('x')
    if (other) {
      scope.call(linear, toInputJoined, { dy, x, weight, other, dx }, { join: 'add' })
      scope.replace('x', dx)
    } else {
      scope.call(linear, toInput, { dy, x, weight, dx }, {})
      scope.give('x', dx)
    }
  }
  if (scope.wants('weight') || scope.wants('bias'))
    scope.call(
      linear,
      toWeight,
      { dy, x, weight, dweight: scope.accumulator('weight'), dbias: scope.accumulator('bias') },
      {},
    )
}

/**
 * The gradient before a GELU whose result y is what a dense layer multiplied, and nobody else: that layer's input gradient,
 * joined with z. Undefined where it is not so.
 */
export function joinedWithGelu(scope: GradientScope, z: Value, join: Join): Value | undefined {
  const writer = scope.writer('y', toInput)
  if (!writer) return undefined
  const dz = scope.fresh(z.spec)
  writer.replace(linear, toInputJoined, { ...writer.tensors, x: z, other: z, dx: dz }, { join })
  return dz
}
