/** Sets every element: y = value. */
import { kernel } from '../device/kernel.js'
import type { Attrs } from './op.js'
import { defineOp } from './op.js'
import { type Dim, type DType, param, product } from './shape.js'

export const fill = defineOp<{ shape: readonly Dim[]; value: number; dtype?: DType } & Attrs>({
  name: 'fill',
  inputs: [],
  outputs: ['y'],
  infer: (_, { shape, dtype = 'f32' }) => [{ shape, dtype }],
  params: ({ y }, { value }) => ({ count: param(product(y.shape)), value }),
  forward: kernel('fill_forward', { y: 'write' }, { count: 'u32', value: 'f32' }),
  flops: () => 0,
})
