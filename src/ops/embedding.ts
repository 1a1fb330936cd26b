/**
 * Sum of word, segment and position embeddings, layer normalisation and dropout in one pass:
 * y[n] = dropout(LN(word[ids[n]] + segment[segments[n]] + position[positions[n]]) weight + bias), y [N,E].
 * The sum is not kept: backward reads the tables again. An id outside its table counts as the nearest id inside.
 * Dropout: element e of row n is element e of plane n of the random words (kernels/cpu/philox.h).
 */
import { kernel } from '../device/kernel.js'
import { ITERATION } from '../device/program.js'
import { NORM_BLOCK, NORM_FLOPS } from './layernorm.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, type FloatType, f32, floats, param, sameDim } from './shape.js'

export type EmbeddingAttrs = {
  readonly eps: number
  /** Dropout probability; 0 draws nothing. */
  readonly p: number
  /** Tells the dropouts of a model apart. */
  readonly stream: number
  /** Type of y (default f32); of f16 a cast makes it, since no step of WebGPU can bind all buffers and round but once. */
  readonly dtype?: Exclude<FloatType, 'f16'>
}

export const embedding = defineOp<EmbeddingAttrs>({
  name: 'embedding',
  inputs: ['ids', 'segments', 'positions', 'word', 'segment', 'position', 'weight', 'bias'],
  outputs: ['y', 'mean', 'rstd'],
  infer([ids, segments, positions, word, segment, position, weight, bias], { p, dtype = 'f32' }) {
    const rows = ids.shape[0]
    const width = word.shape[1]
    const isIndex = [ids, segments, positions].every(
      (s) => s.shape.length === 1 && s.dtype === 'i32' && sameDim(s.shape[0], rows),
    )
    const isTable = [word, segment, position].every(
      (s) => s.shape.length === 2 && s.shape.every((d) => typeof d === 'number') && s.shape[1] === width,
    )
    const isRow = [weight, bias].every((s) => s.shape.length === 1 && s.shape[0] === width)
    if (!isIndex || !isTable || !isRow || !(p >= 0 && p < 1))
      throw shapeError(
        'embedding',
        { ids, segments, positions, word, segment, position, weight, bias },
        `i32 [N] three times, word [V,E], segment [T,E], position [P,E], weight [E], bias [E], 0 <= p < 1`,
      )
    return [floats(dtype, rows, width), f32(rows), f32(rows)]
  },
  params: ({ ids, word, segment, position }, { eps, p, stream }) => ({
    rows: param(ids.shape[0]),
    width: capacity(word.shape[1]),
    word_count: capacity(word.shape[0]),
    segment_count: capacity(segment.shape[0]),
    position_count: capacity(position.shape[0]),
    eps,
    p,
    seed: { scalar: 'seed', times: 1 },
    draw: { scalar: 'draw', times: 1 },
    stream,
    layer: { scalar: ITERATION, times: 1 },
  }),
  temporaries: ({ ids, word }) => {
    const width = capacity(word.shape[1])
    const blocks = Math.ceil(capacity(ids.shape[0]) / NORM_BLOCK)
    // three words for each row at least: WebGPU puts them in order there, for each table
    return { dsum: f32(ids.shape[0], width), partial: f32(blocks, 2, Math.max(width, (3 * NORM_BLOCK) / 2)) }
  },
  forward: kernel(
    'embedding_forward',
    {
      ids: 'read',
      segments: 'read',
      positions: 'read',
      word: 'read',
      segment: 'read',
      position: 'read',
      weight: 'read',
      bias: 'read',
      y: 'write',
      mean: 'write',
      rstd: 'write',
    },
    {
      rows: 'u32',
      width: 'u32',
      word_count: 'u32',
      segment_count: 'u32',
      position_count: 'u32',
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
      'embedding_backward',
      {
        dy: 'read',
        ids: 'read',
        segments: 'read',
        positions: 'read',
        word: 'read',
        segment: 'read',
        position: 'read',
        weight: 'read',
        mean: 'read',
        rstd: 'read',
        dword: 'accumulate',
        dsegment: 'accumulate',
        dposition: 'accumulate',
        dweight: 'accumulate',
        dbias: 'accumulate',
        dsum: 'scratch',
        partial: 'scratch',
      },
      {
        rows: 'u32',
        width: 'u32',
        word_count: 'u32',
        segment_count: 'u32',
        position_count: 'u32',
        p: 'f32',
        seed: 'u32',
        draw: 'u32',
        stream: 'u32',
        layer: 'u32',
      },
    ),
  ],
  // two sums and the normalisation; backward sums again and adds onto three tables
  flops: ({ y }, { p }) => (2 + NORM_FLOPS.forward + (p > 0 ? 2 : 0)) * elements(y),
  work(kernel, { ids, word, segment, position }, { p }) {
    const rows = capacity(ids.shape[0])
    const width = capacity(word.shape[1])
    // of each table no more rows than the batch has, of the batch three indexes, mean and rstd, y or dy
    const touched = [word, segment, position].reduce((n, t) => n + Math.min(rows, capacity(t.shape[0])), 0)
    const batch = rows * (5 + width)
    return kernel === 'embedding_forward'
      ? { bytes: 4 * (batch + touched * width + 2 * width) }
      : {
          flops: (2 + NORM_FLOPS.backward + 3 + (p > 0 ? 2 : 0)) * rows * width,
          bytes: 4 * (batch + 3 * touched * width + 5 * width),
        }
  },
})
