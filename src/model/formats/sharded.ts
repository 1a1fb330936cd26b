/**
 * Weights in several files: NAME.index.json says which file each tensor lies in,
 *
 *   {"metadata": {"total_size": BYTES}, "weight_map": {TENSOR: FILE}}
 *
 * as transformers writes it beside safetensors and PyTorch files. The files lie beside the index, nowhere else.
 */
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { InputError, systemReason } from '../../error.js'
import type { StoredTensor, WeightsFile } from './weights_file.js'

const MOST_FILES = 10_000
const LARGEST_INDEX = 1 << 26
/** A file's name, not a way to it. */
const NAME = /^(?!\.)[^/\\:\0]{1,255}$/

/**
 * Opens the files that an index names, each with `open`. Tensors that a file holds and the index does not name are there too.
 * @throws InputError where the index is no such JSON or names a file elsewhere, where a tensor is not in its file, or in two.
 */
export function readSharded(path: string, open: (path: string) => WeightsFile): WeightsFile {
  const places = readIndex(path)
  const names = [...new Set(places.values())]
  if (names.length > MOST_FILES) throw refusal(path, `${names.length} files`)
  const shards = new Map(names.map((name) => [name, openShard(path, name, open)]))
  const tensors = new Map<string, StoredTensor>()
  const metadata = new Map<string, string>()
  const holder = new Map<string, string>()
  for (const [file, shard] of shards) {
    for (const [key, value] of shard.metadata) metadata.set(key, value)
    for (const [name, tensor] of shard.tensors) {
      const other = holder.get(name)
      if (other !== undefined) throw refusal(path, `tensor '${name}' in ${other} and in ${file}`)
      holder.set(name, file)
      tensors.set(name, tensor)
    }
  }
  for (const [name, file] of places) {
    if (holder.get(name) === file) continue
    const where = holder.has(name) ? `in ${holder.get(name)}` : 'in none of the files'
    throw refusal(path, `tensor '${name}' ${where}`, `it in ${file}, as the index says`)
  }
  const leftOut = [...shards.values()].flatMap((shard) => shard.leftOut ?? [])
  return {
    path,
    files: [path, ...names.map((name) => join(dirname(path), name))],
    tensors,
    metadata,
    leftOut,
  }
}

function refusal(file: string, found: string, expected = 'every tensor in one of the files'): InputError {
  return new InputError({ file, found, expected })
}

const EXPECTED = '{"weight_map": {TENSOR: FILE}}'

function readIndex(path: string): Map<string, string> {
  let text: string
  try {
    const { size } = statSync(path)
    if (size > LARGEST_INDEX) throw refusal(path, `${size} bytes`, `an index of at most ${LARGEST_INDEX}`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const reason = systemReason(error)
    if (reason === undefined) throw error
    throw refusal(path, reason, EXPECTED)
  }
  return parseIndex(text, path)
}

/** The file of each tensor. Throws an InputError for a text that is no index or names anything but a file beside it. */
export function parseIndex(text: string, path: string): Map<string, string> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw refusal(path, 'no JSON', EXPECTED)
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== 'object' || map === null || Array.isArray(map) || Object.keys(map).length === 0)
    throw refusal(path, 'no weight_map with a tensor in it', EXPECTED)
  return new Map(
    Object.entries(map).map(([name, file]): [string, string] => {
      if (typeof file === 'string' && NAME.test(file)) return [name, file]
      const found = `tensor '${name}' in ${JSON.stringify(file).slice(0, 200)}`
      throw refusal(path, found, 'the name of a file beside the index')
    }),
  )
}

function openShard(index: string, name: string, open: (path: string) => WeightsFile): WeightsFile {
  const path = join(dirname(index), name)
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    throw refusal(path, 'no such file', `the weights that ${index} says are in it`)
  return open(path)
}
