/**
 * Initial values of parameters from a seed: every parameter draws from a stream of its own (Philox keyed by the seed,
 * the stream by a hash of its name), normal values by Box and Muller, so a parameter that is added or left out
 * changes no other.
 */
import { Philox } from '../data/random.js'
import type { ParameterSet } from '../graph/parameters.js'

/** Keeps these streams apart from those of the data, whose first word is small. */
const INITIALIZE = 0x696e6974

/** The whole parameter arena, [arenaElements]. */
export function initialValues(parameters: ParameterSet, seed: number): Float32Array {
  return parameters.initialize((name) => normals(new Philox(seed, INITIALIZE, hash(name))))
}

/** Draws from N(0, 1). */
function normals(random: Philox): () => number {
  let spare: number | undefined
  return () => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()))
    const angle = 2 * Math.PI * random.uniform()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}
