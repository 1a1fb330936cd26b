/**
 * Sums rows by index: y[n,h] = sum over m with index[m] = n of x[m,h], for n in [0, rows). Rows that no index names
 * are zero; an index below 0 or past the last row drops its x. Sums are taken in the order of m.
 */
import { kernel } from '../device/kernel.js'
import { gather } from './gather.js'
import { defineOp, shapeError } from './op.js'
import { type Dim, elements, param, product, sameDim } from './shape.js'

export const scatterAdd = defineOp<{ rows: Dim }>({
  name: 'scatter_add',
  inputs: ['x', 'index'],
  outputs: ['y'],
  infer([x, index], { rows }) {
    if (
      x.dtype !== 'f32' ||
      index.dtype === 'f32' ||
      x.shape.length < 1 ||
      index.shape.length !== 1 ||
      !sameDim(x.shape[0], index.shape[0])
    )
      throw shapeError('scatter_add', { x, index }, 'x f32 [M,*], index i32 [M]')
    return [{ shape: [rows, ...x.shape.slice(1)], dtype: 'f32' }]
  },
  params: ({ x, y }) => ({
    rows: param(y.shape[0]),
    picks: param(x.shape[0]),
    hidden: product(x.shape.slice(1)) as number,
  }),
  forward: kernel(
    'scatter_add_forward',
    { x: 'read', index: 'read', y: 'write' },
    { rows: 'u32', picks: 'u32', hidden: 'u32' },
  ),
  gradient(scope) {
    if (scope.wants('x'))
      scope.give('x', scope.emit(gather, [scope.incoming('y'), scope.value('index')], {})[0])
  },
  flops: ({ x }) => elements(x),
})
