/**
 * The tables that tell optimizer kernels where the segments of the parameter arena are, and what applies to each.
 * A segment (one tensor as optimizers see it) is cut into chunks, the tasks of the kernels; a segment that is not
 * trainable has none, so its values and gradients are never touched.
 */
import type { ParameterSet } from './parameters.js'

/** Elements of a chunk, at most. */
export const SEGMENT_CHUNK = 16384

/** Bits of a segment's flags. */
export const SEGMENT_DECAY = 1
export const SEGMENT_ADAPT = 2
export const SEGMENT_TRAINABLE = 4

export interface SegmentTables {
  /** i32 [chunks, 3]: segment, first element in the arena, number of elements. Chunks of a segment are neighbours. */
  readonly table: Int32Array
  /** i32 [segments, 2]: flags, first chunk; the chunks of a segment end where those of the next begin. */
  readonly segments: Int32Array
  readonly chunkCount: number
  readonly segmentCount: number
}

/** The tables of a parameter set. Throws when it has nothing to train. */
export function segmentTables(parameters: ParameterSet): SegmentTables {
  const table: number[] = []
  const segments: number[] = []
  parameters.segments.forEach(({ offset, size, decay, adapt, trainable }, index) => {
    segments.push(
      (decay ? SEGMENT_DECAY : 0) | (adapt ? SEGMENT_ADAPT : 0) | (trainable ? SEGMENT_TRAINABLE : 0),
      table.length / 3,
    )
    if (!trainable) return
    for (let start = 0; start < size; start += SEGMENT_CHUNK)
      table.push(index, offset + start, Math.min(SEGMENT_CHUNK, size - start))
  })
  if (table.length === 0) throw new Error('no parameter is trainable')
  return {
    table: Int32Array.from(table),
    segments: Int32Array.from(segments),
    chunkCount: table.length / 3,
    segmentCount: segments.length / 2,
  }
}

/**
 * Offsets in bytes at which an arena of parameters may be cut into blocks: where a parameter begins, and within one that is larger than a
 * block (stacked layers), where a chunk does. Neither a parameter nor a chunk of `segmentTables` then lies across blocks, but for such large ones.
 */
export function arenaCuts(parameters: ParameterSet, block: number): number[] {
  const cuts = parameters.all.flatMap(({ parts, offset, size }) => {
    if (size * 4 <= block) return [offset]
    let start = offset
    return parts.flatMap(({ shape }) => {
      const elements = shape.reduce((a, b) => a * b, 1)
      const count = Math.ceil(elements / SEGMENT_CHUNK)
      const first = start
      start += elements
      return Array.from({ length: count }, (_, i) => first + i * SEGMENT_CHUNK)
    })
  })
  return cuts.map((element) => element * 4)
}
