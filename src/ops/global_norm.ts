/**
 * Euclidean norm of all gradients: norm[0] = sqrt(sum of (unscale gradients[i])^2) over the chunks of a table
 * (graph/segments.ts), table i32 [chunks,3] with rows (segment, start, count). `unscale` is the run-time scalar of
 * that name, 1 / loss scale, or 1.
 */
import { kernel } from '../device/kernel.js'
import type { ParamValue } from '../device/program.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, f32 } from './shape.js'

/** What gradients are multiplied by before all else: the run-time scalar of that name, or 1. */
export function unscaleParam(name: string | undefined): ParamValue {
  return name === undefined ? 1 : { scalar: name, times: 1 }
}

export const globalNorm = defineOp<{ readonly unscale?: string }>({
  name: 'global_norm',
  inputs: ['gradients', 'table'],
  outputs: ['norm'],
  infer([gradients, table]) {
    if (table.shape.length !== 2 || table.shape[1] !== 3 || table.dtype !== 'i32')
      throw shapeError('global_norm', { gradients, table }, 'table i32 [chunks,3]')
    return [f32(1)]
  },
  params: ({ table }, { unscale }) => ({
    chunk_count: capacity(table.shape[0]),
    unscale: unscaleParam(unscale),
  }),
  /** One double a chunk. */
  temporaries: ({ table }) => ({ partial: f32(table.shape[0], 2) }),
  forward: kernel(
    'global_norm_forward',
    { gradients: 'read', table: 'read', norm: 'write', partial: 'scratch' },
    { chunk_count: 'u32', unscale: 'f32' },
  ),
  flops: ({ gradients }) => 3 * elements(gradients),
})
