/** The golden files of the models that test/golden/albert.py, bert.py and heads.py wrote, in folders of those names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ParameterSet } from '../../src/graph/parameters.js'
import { readSafetensors } from '../../src/model/formats/safetensors.js'
import { parseConfig } from '../../src/model/huggingface.js'
import { root } from './paths.js'

export type Golden = ReturnType<typeof openGolden>

/** One case; the heads of the scripts say what is in it. */
export function openGolden(name: string, family = 'albert') {
  const folder = join(root, 'test/golden', family)
  const path = join(folder, `${name}.json`)
  const json = JSON.parse(readFileSync(path, 'utf8'))
  const { tensors } = readSafetensors(join(folder, `${name}.safetensors`))
  const floats = (key: string) => tensors.get(key)!.float32()
  const ints = (key: string) => Int32Array.from(tensors.get(key)!.int32())
  const config = parseConfig(JSON.stringify(json.config), path).config
  return { json, tensors, floats, ints, config, has: (key: string) => tensors.has(key) }
}

/** The names of golden tensors are those of transformers; the embedding's tied copies are stored once. */
export function weightsInto(set: ParameterSet, golden: Golden, prefix: string): Float32Array {
  const arena = new Float32Array(set.arenaElements)
  for (const s of set.segments) arena.set(golden.floats(`${prefix}/${s.name}`), s.offset)
  return arena
}
