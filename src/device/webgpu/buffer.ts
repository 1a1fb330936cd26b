/**
 * Memory of a WebGPU device. An adapter limits the size of a buffer and of a binding, so a large arena lies in several
 * blocks, each a buffer that can be bound as a whole. A range that lies in one block is bound where it is; one that lies across
 * blocks is bound through a copy, or the kernel runs once a block (program.ts).
 */
import { UserError } from '../../error.js'
import type { ArenaLayout, DeviceBuffer } from '../device.js'

/** GPUBufferUsage, which Node has not as a global. */
export const USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const

/** What offsets of bindings are multiples of. */
export const OFFSET_ALIGNMENT = 256

/** Blocks of a buffer, at most: far more memory than any adapter has. */
const MOST_BLOCKS = 256

export interface Block {
  readonly gpu: GPUBuffer
  /** Where it begins in the whole. */
  readonly start: number
  readonly bytes: number
}

/** A part of a range, within one block. */
export interface Piece {
  readonly gpu: GPUBuffer
  readonly offset: number
  readonly bytes: number
}

export class WebgpuBuffer implements DeviceBuffer {
  /** Why there is no such memory, once that is known. */
  failure: UserError | undefined
  isFreed = false

  constructor(
    readonly blocks: readonly Block[],
    readonly bytes: number,
    readonly label: string,
  ) {}

  /** The pieces of a range, in order. */
  pieces(offset: number, bytes: number): Piece[] {
    const pieces: Piece[] = []
    for (const block of this.blocks) {
      const from = Math.max(offset, block.start)
      const to = Math.min(offset + bytes, block.start + block.bytes)
      if (from < to) pieces.push({ gpu: block.gpu, offset: from - block.start, bytes: to - from })
    }
    return pieces
  }
}

/**
 * Where the blocks of `bytes` bytes begin, none longer than `most`: as few as possible, cut at `cuts` (increasing offsets) if there
 * are any. Throws a UserError where there are too many, or no cut where one is wanted.
 */
export function blockStarts(bytes: number, most: number, label: string, cuts?: readonly number[]): number[] {
  if (bytes > MOST_BLOCKS * most)
    throw new UserError(
      `${label}: ${bytes} bytes are more than ${MOST_BLOCKS} buffers of webgpu can have (of ${most} bytes on this adapter)`,
    )
  const starts = [0]
  for (let end = most; end < bytes; end = starts[starts.length - 1] + most) {
    const last = starts[starts.length - 1]
    const cut = cuts ? cuts.findLast((at) => at <= end && at % OFFSET_ALIGNMENT === 0) : end
    if (cut === undefined || cut <= last)
      throw new UserError(
        `${label}: bytes ${last} to ${end} have no place to be cut at, and a buffer of this adapter has at most ${most}`,
      )
    starts.push(cut)
  }
  return starts
}

/** A buffer that is thought of only: it has ranges and no memory. */
export function layoutOnly({ bytes, label, cuts }: ArenaLayout, most: number): WebgpuBuffer {
  const starts = blockStarts(bytes, most, label, cuts)
  const blocks = starts.map((start, i) => ({
    gpu: undefined as never,
    start,
    bytes: (starts[i + 1] ?? bytes) - start,
  }))
  return new WebgpuBuffer(blocks, bytes, label)
}

/** Throws a UserError if an arena of the program was freed. */
export function checkArenas({ name }: { readonly name: string }, arenas: readonly WebgpuBuffer[]): void {
  const freed = arenas.find(({ isFreed }) => isFreed)
  if (freed) throw new UserError(`program ${name}: its arena ${freed.label} was freed`)
}

/** Throws a UserError unless the range exists and is of whole words. */
export function checkRange(buffer: WebgpuBuffer, offset: number, bytes: number): void {
  if (buffer.isFreed) throw new UserError(`${buffer.label} was freed`)
  if (offset < 0 || bytes < 0 || offset + bytes > buffer.bytes)
    throw new UserError(
      `${buffer.label}: bytes ${offset} to ${offset + bytes} of ${buffer.bytes} do not exist`,
    )
  if (offset % 4 !== 0 || bytes % 4 !== 0)
    throw new UserError(`${buffer.label}: ${bytes} bytes from ${offset} (want multiples of 4, on webgpu)`)
}

/** `12.3 MiB` */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
