/** Sets every element: y = value, times a run-time scalar if one is named. */
import { kernel } from '../device/kernel.js'
import type { Attrs } from './op.js'
import { defineOp } from './op.js'
import { type Dim, type DType, param, product } from './shape.js'

type FillAttrs = {
  readonly shape: readonly Dim[]
  readonly value: number
  readonly dtype?: DType
  /** Name of a run-time scalar that `value` is multiplied by. */
  readonly scalar?: string
} & Attrs

export const fill = defineOp<FillAttrs>({
  name: 'fill',
  inputs: [],
  outputs: ['y'],
  infer: (_, { shape, dtype = 'f32' }) => [{ shape, dtype }],
  params: ({ y }, { value, scalar }) => ({
    count: param(product(y.shape)),
    value: scalar === undefined ? value : { scalar, times: value },
  }),
  forward: kernel('fill_forward', { y: 'write' }, { count: 'u32', value: 'f32' }),
  flops: () => 0,
})
