/**
 * Philox 4x32-10 straight from the paper (Salmon et al. 2011), in BigInt arithmetic, and the dropout masks that the
 * engine promises to draw with it: word e % 4 of counter (e / 4, plane, stream << 16 | layer, draw) under the key
 * (seed, 0xB10A1BE7) decides element e of a plane; it is kept if the word is at least p 2^32.
 */
const M = 0xffffffffn

/** One block: four words from a counter of four words and a key of two. */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt)
  let [k0, k1] = key.map(BigInt)
  for (let round = 0; round < 10; round++) {
    const a = 0xd2511f53n * c0
    const b = 0xcd9e8d57n * c2
    ;[c0, c1, c2, c3] = [(b >> 32n) ^ c1 ^ k0, b & M, (a >> 32n) ^ c3 ^ k1, a & M]
    k0 = (k0 + 0x9e3779b9n) & M
    k1 = (k1 + 0xbb67ae85n) & M
  }
  return [c0, c1, c2, c3].map(Number)
}

export interface DropoutDraw {
  p: number
  seed: number
  draw: number
  stream: number
  /** Iteration of the enclosing repeat; 0 outside. */
  layer?: number
}

/** Factors of the first `n` elements of a plane: 0 or 1 / (1 - p). */
export function dropoutFactors(
  { p, seed, draw, stream, layer = 0 }: DropoutDraw,
  plane: number,
  n: number,
): Float64Array {
  const factors = new Float64Array(n)
  const threshold = Math.floor(Math.fround(p) * 4294967296)
  for (let e = 0; e < n; e += 4) {
    const words = philox([e / 4, plane, ((stream << 16) | layer) >>> 0, draw], [seed, 0xb10a1be7])
    for (let i = 0; i < 4 && e + i < n; i++) factors[e + i] = words[i] >= threshold ? 1 / (1 - p) : 0
  }
  return factors
}
