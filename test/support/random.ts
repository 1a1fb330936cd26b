/**
 * Seeded random inputs for tests: SplitMix32 (a Weyl sequence through a 32-bit finaliser) and Box-Muller.
 * Deliberately not the generator of the code under test.
 */
export interface Random {
  /** Uniform in [low, high), by default [0, 1), with 32 bits. */
  uniform(low?: number, high?: number): number
  /** Standard normal. */
  normal(): number
  /** Uniform integer in [low, high); with one argument in [0, low). */
  integer(low: number, high?: number): number
  /** n normal values of the given standard deviation (default 1), as f32. */
  normals(n: number, scale?: number): Float32Array
  /** n uniform values in [low, high), by default [0, 1), as f32. */
  uniforms(n: number, low?: number, high?: number): Float32Array
  /** n uniform integers in [low, high). */
  integers(n: number, low: number, high: number): Int32Array
  /** One of the items. */
  pick<T>(items: readonly T[]): T
  /** A random permutation of 0 .. n-1. */
  permutation(n: number): Int32Array
}

/** A generator that gives the same values for the same seed, anywhere. */
export function random(seed: number): Random {
  let state = seed >>> 0
  const bits = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
  const uniform = (low = 0, high = 1): number => low + (high - low) * (bits() / 4294967296)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const integer = (low: number, high?: number): number => {
    const from = high === undefined ? 0 : low
    const to = high ?? low
    if (!(to > from)) throw new RangeError(`integer: empty range [${from}, ${to})`)
    return from + Math.floor(uniform() * (to - from))
  }
  return {
    uniform,
    normal,
    integer,
    normals: (n, scale = 1) => Float32Array.from({ length: n }, () => normal() * scale),
    uniforms: (n, low = 0, high = 1) => Float32Array.from({ length: n }, () => uniform(low, high)),
    integers: (n, low, high) => Int32Array.from({ length: n }, () => integer(low, high)),
    pick: (items) => items[integer(items.length)],
    permutation: (n) => {
      const order = Int32Array.from({ length: n }, (_, i) => i)
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1)
        const kept = order[i]
        order[i] = order[j]
        order[j] = kept
      }
      return order
    },
  }
}
