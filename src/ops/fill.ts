/** Sets every element: y = value. */
import { kernel } from '../device/kernel.js'
import type { Attrs } from './op.js'
import { defineOp } from './op.js'
import { type Dim, f32, param, product } from './shape.js'

export const fill = defineOp<{ shape: readonly Dim[]; value: number } & Attrs>({
  name: 'fill',
  inputs: [],
  outputs: ['y'],
  infer: (_, { shape }) => [f32(...shape)],
  params: ({ y }, { value }) => ({ count: param(product(y.shape)), value }),
  forward: kernel('fill_forward', { y: 'write' }, { count: 'u32', value: 'f32' }),
  flops: () => 0,
})
