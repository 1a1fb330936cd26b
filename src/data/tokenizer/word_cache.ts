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
  /** [slots x 4] hash, key offset, key length (0: free), value offset: one cache line holds a slot. */
  private slots = new Int32Array(1 << 16)
  private keys = new Uint8Array(1 << 18)
  private keyTop = 0
  private entries = 0
  private valueTop = 0
  /** Counts and ids; `find` answers an index into it. */
  values = new Int32Array(1 << 17)

  /** Index of the value of bytes[start..end) whose hash is `hash`, or -1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots, keys } = this
    const mask = slots.length - 1
    const length = end - start
    for (let slot = (hash << 2) & mask; ; slot = (slot + 4) & mask) {
      const kept = slots[slot + 2]
      if (kept === 0) return -1
      if (kept !== length || slots[slot] !== hash) continue
      const at = slots[slot + 1] - start
      let i = start
      while (i < end && keys[at + i] === bytes[i]) i++
      if (i === end) return slots[slot + 3]
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
      this.slots.fill(0)
      this.entries = 0
      this.keyTop = 0
      this.valueTop = 0
    }
    if (this.entries * 8 >= this.slots.length && this.slots.length < 4 * SLOTS) this.rehash()
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
    const { slots } = this
    const mask = slots.length - 1
    let slot = (hash << 2) & mask
    while (slots[slot + 2] !== 0) slot = (slot + 4) & mask
    slots[slot] = hash
    slots[slot + 1] = keyAt
    slots[slot + 2] = length
    slots[slot + 3] = valueAt
  }

  private rehash(): void {
    const { slots } = this
    this.slots = new Int32Array(slots.length * 2)
    for (let slot = 0; slot < slots.length; slot += 4) {
      if (slots[slot + 2] > 0) this.place(slots[slot], slots[slot + 1], slots[slot + 2], slots[slot + 3])
    }
  }
}

function grown<T extends Uint8Array | Int32Array>(array: T, least: number): T {
  const larger = new (array.constructor as new (length: number) => T)(Math.max(least, 2 * array.length))
  larger.set(array)
  return larger
}
