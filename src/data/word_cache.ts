/**
 * A cache from the raw bytes of a token to its piece ids: open addressing over two arenas (keys, values), no
 * strings and no objects per entry. When an arena is full the cache starts again empty, so memory is bounded.
 * Values are [8 x count + flags, ids...], flags being three bits that the tokenizer keeps with a token.
 */
const SLOTS = 1 << 20
const FILL = (SLOTS * 3) >> 2
const KEY_BYTES = 1 << 24
const VALUE_WORDS = 1 << 23

export class WordCache {
  private hashes = new Int32Array(1 << 14)
  private keyAt = new Int32Array(1 << 14)
  private keyLength = new Int32Array(1 << 14)
  private valueAt = new Int32Array(1 << 14)
  private keys = new Uint8Array(1 << 18)
  private keyTop = 0
  private entries = 0
  private valueTop = 0
  /** Counts and ids; `find` answers an index into it. */
  values = new Int32Array(1 << 17)

  /** Index of the value of bytes[start..end) whose hash is `hash`, or -1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.hashes.length - 1
    const length = end - start
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const kept = this.keyLength[slot]
      if (kept === 0) return -1
      if (kept !== length || this.hashes[slot] !== hash) continue
      const at = this.keyAt[slot] - start
      let i = start
      while (i < end && this.keys[at + i] === bytes[i]) i++
      if (i === end) return this.valueAt[slot]
    }
  }

  /** Stores a value and answers its index in `values`. Tokens are never empty. */
  insert(bytes: Uint8Array, start: number, end: number, hash: number, ids: number[], flags: number): number {
    const length = end - start
    if (
      this.entries >= FILL ||
      this.keyTop + length > KEY_BYTES ||
      this.valueTop + ids.length + 1 > VALUE_WORDS
    ) {
      this.keyLength.fill(0)
      this.entries = 0
      this.keyTop = 0
      this.valueTop = 0
    }
    if (this.entries * 2 >= this.hashes.length && this.hashes.length < SLOTS) this.rehash()
    if (this.keyTop + length > this.keys.length) this.keys = grown(this.keys, this.keyTop + length)
    if (this.valueTop + ids.length + 1 > this.values.length) {
      this.values = grown(this.values, this.valueTop + ids.length + 1)
    }
    this.keys.set(bytes.subarray(start, end), this.keyTop)
    const value = this.valueTop
    this.values[this.valueTop++] = 8 * ids.length + flags
    for (const id of ids) this.values[this.valueTop++] = id
    this.place(hash, this.keyTop, length, value)
    this.keyTop += length
    this.entries++
    return value
  }

  private place(hash: number, keyAt: number, length: number, valueAt: number): void {
    const mask = this.hashes.length - 1
    let slot = hash & mask
    while (this.keyLength[slot] !== 0) slot = (slot + 1) & mask
    this.hashes[slot] = hash
    this.keyAt[slot] = keyAt
    this.keyLength[slot] = length
    this.valueAt[slot] = valueAt
  }

  private rehash(): void {
    const { hashes, keyAt, keyLength, valueAt } = this
    const size = hashes.length * 2
    this.hashes = new Int32Array(size)
    this.keyAt = new Int32Array(size)
    this.keyLength = new Int32Array(size)
    this.valueAt = new Int32Array(size)
    for (let slot = 0; slot < hashes.length; slot++) {
      if (keyLength[slot] > 0) this.place(hashes[slot], keyAt[slot], keyLength[slot], valueAt[slot])
    }
  }
}

function grown<T extends Uint8Array | Int32Array>(array: T, least: number): T {
  const larger = new (array.constructor as new (length: number) => T)(Math.max(least, 2 * array.length))
  larger.set(array)
  return larger
}
