/**
 * Safetensors in several files, as Hugging Face cuts them: tensors in their order, a new file where the next one would not fit
 * (one that is larger than a file may be stands alone), and model.safetensors.index.json, which says where each is. What
 * fits in one file is one, model.safetensors, without an index.
 */
import { join } from 'node:path'
import { writeFileAtomic } from '../../files.js'
import { writeSafetensors } from './safetensors.js'
import type { TensorToWrite } from './safetensors_format.js'

export const SINGLE_FILE = 'model.safetensors'
export const INDEX_FILE = 'model.safetensors.index.json'
const FLOAT_BYTES = 4

/** A tensor of float32, whose size is known without its values. */
export type NamedTensor = readonly [name: string, tensor: TensorToWrite]

export interface ShardedFiles {
  /** Names of the files with weights, in order, and of the index where there is one. */
  readonly files: readonly string[]
  /** Of all tensors together. */
  readonly bytes: number
}

/**
 * Writes float32 tensors to files of at most `largest` bytes of tensors in the folder `dir`; `progress` gets the bytes of
 * tensors written so far. Every file is whole or not there, the index comes last.
 */
export async function writeSharded(
  dir: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>>,
  largest: number,
  progress: (done: number) => void = () => {},
): Promise<ShardedFiles> {
  const shards = cut(tensors, largest)
  const bytes = tensors.reduce((n, tensor) => n + size(tensor), 0)
  const number = (i: number) => String(i).padStart(5, '0')
  const files = shards.map((_, i) =>
    shards.length === 1 ? SINGLE_FILE : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`,
  )
  let done = 0
  for (const [i, shard] of shards.entries()) {
    await writeSafetensors(join(dir, files[i]), shard, metadata)
    done += shard.reduce((n, tensor) => n + size(tensor), 0)
    progress(done)
  }
  if (shards.length > 1) {
    const places = shards.flatMap((shard, i) => shard.map(([name]) => [name, files[i]] as const))
    const json = {
      metadata: { total_parameters: bytes / FLOAT_BYTES, total_size: bytes },
      weight_map: Object.fromEntries([...places].sort(([a], [b]) => (a < b ? -1 : 1))),
    }
    writeFileAtomic(join(dir, INDEX_FILE), `${JSON.stringify(json, null, 2)}\n`)
  }
  return { files: shards.length > 1 ? [...files, INDEX_FILE] : files, bytes }
}

/** Tensors in their order, file by file. */
function cut(tensors: readonly NamedTensor[], largest: number): NamedTensor[][] {
  const shards: NamedTensor[][] = []
  let room = 0
  for (const tensor of tensors) {
    const bytes = size(tensor)
    if (shards.length === 0 || bytes > room) {
      shards.push([])
      room = largest
    }
    shards[shards.length - 1].push(tensor)
    room -= bytes
  }
  return shards
}

function size([, { shape }]: NamedTensor): number {
  return FLOAT_BYTES * shape.reduce((a, b) => a * b, 1)
}
