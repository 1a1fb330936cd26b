/**
 * Philox 4x32-10, a counter-based generator: random word i of a stream is a function of (seed, stream, i)
 * alone, so a document or a pass has the same draws whoever computes it, in whatever order.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Random123).
 */

const M0 = 0xd2511f53
const M1 = 0xcd9e8d57
const W0 = 0x9e3779b9
const W1 = 0xbb67ae85

/** High 32 bits of the 64-bit product of two unsigned 32-bit words. */
function mulhi(a: number, b: number): number {
  const al = a & 0xffff
  const ah = a >>> 16
  const bl = b & 0xffff
  const bh = b >>> 16
  const lh = al * bh
  const hl = ah * bl
  const middle = ((al * bl) >>> 16) + (lh & 0xffff) + (hl & 0xffff)
  return (ah * bh + (lh >>> 16) + (hl >>> 16) + (middle >>> 16)) >>> 0
}

/** One block: `out` [4] from `counter` [4] and `key` [2], all unsigned 32-bit words. */
export function philoxBlock(counter: Uint32Array, key: Uint32Array, out: Uint32Array): void {
  let c0 = counter[0]
  let c1 = counter[1]
  let c2 = counter[2]
  let c3 = counter[3]
  let k0 = key[0]
  let k1 = key[1]
  for (let round = 0; round < 10; round++) {
    const hi0 = mulhi(M0, c0)
    const lo0 = Math.imul(M0, c0)
    const hi1 = mulhi(M1, c2)
    const lo1 = Math.imul(M1, c2)
    c0 = (hi1 ^ c1 ^ k0) >>> 0
    c1 = lo1 >>> 0
    c2 = (hi0 ^ c3 ^ k1) >>> 0
    c3 = lo0 >>> 0
    k0 = (k0 + W0) >>> 0
    k1 = (k1 + W1) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/**
 * A stream of random numbers. `seed` is a non-negative safe integer (53 bits); `stream` is up to three
 * unsigned 32-bit words that name the stream, e.g. (purpose, pass, document).
 */
export class Philox {
  private readonly counter = new Uint32Array(4)
  private readonly key = new Uint32Array(2)
  private readonly words = new Uint32Array(4)
  private at = 4

  constructor(seed: number, ...stream: number[]) {
    this.key[0] = seed >>> 0
    this.key[1] = Math.floor(seed / 2 ** 32) >>> 0
    this.restart(...stream)
  }

  /** Turns this generator to the beginning of another stream of the same seed. */
  restart(...stream: number[]): void {
    this.counter[0] = 0
    for (let i = 0; i < 3; i++) this.counter[i + 1] = stream[i] ?? 0
    this.at = 4
  }

  /** The next unsigned 32-bit word. */
  word(): number {
    if (this.at === 4) {
      philoxBlock(this.counter, this.key, this.words)
      this.counter[0]++
      this.at = 0
    }
    return this.words[this.at++]
  }

  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number {
    return this.word() / 4294967296
  }

  /** Uniform integer in [0, n), n in [1, 2^32], without modulo bias. */
  integer(n: number): number {
    const limit = 4294967296 - (4294967296 % n)
    let word = this.word()
    while (word >= limit) word = this.word()
    return word % n
  }

  /** Shuffles in place (Fisher and Yates). */
  shuffle(items: Uint32Array | Int32Array | unknown[]): void {
    const list = items as unknown[]
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const held = list[i]
      list[i] = list[j]
      list[j] = held
    }
  }
}
