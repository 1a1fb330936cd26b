/**
 * Euclidean norm of all gradients: norm[0] = sqrt(sum of gradients[i]^2) over the chunks of a table
 * (graph/segments.ts), table i32 [chunks,3] with rows (segment, start, count).
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, f32 } from './shape.js'

export const globalNorm = defineOp<Record<string, never>>({
  name: 'global_norm',
  inputs: ['gradients', 'table'],
  outputs: ['norm'],
  infer([gradients, table]) {
    if (table.shape.length !== 2 || table.shape[1] !== 3 || table.dtype !== 'i32')
      throw shapeError('global_norm', { gradients, table }, 'table i32 [chunks,3]')
    return [f32(1)]
  },
  params: ({ table }) => ({ chunk_count: capacity(table.shape[0]) }),
  /** One double a chunk. */
  temporaries: ({ table }) => ({ partial: f32(table.shape[0], 2) }),
  forward: kernel(
    'global_norm_forward',
    { gradients: 'read', table: 'read', norm: 'write', partial: 'scratch' },
    { chunk_count: 'u32' },
  ),
  flops: ({ gradients }) => 2 * elements(gradients),
})
