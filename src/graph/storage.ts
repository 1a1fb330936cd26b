/** Storages and where they go: ranges of one arena such that what is needed at the same time does not overlap. */

/** Offsets are multiples of this many bytes: what the strictest device (WebGPU) asks of a binding. */
export const STORAGE_ALIGNMENT = 256

export function align(bytes: number): number {
  return Math.ceil(bytes / STORAGE_ALIGNMENT) * STORAGE_ALIGNMENT
}

/** A range of an arena with the first and last node during which it is needed. */
export interface Storage {
  readonly name: string
  readonly bytes: number
  first: number
  last: number
  offset: number
}

/** The storages of one arena by what they hold; each grows in time as it is touched. */
export class StorageMap<Key> {
  private readonly map = new Map<Key, Storage>()

  /** Notes that the storage of `key` is needed by node `at`. */
  touch(key: Key, name: string, bytes: number, at: number): void {
    const s = this.map.get(key)
    if (!s) this.map.set(key, { name, bytes: align(bytes), first: at, last: at, offset: 0 })
    else {
      s.first = Math.min(s.first, at)
      s.last = Math.max(s.last, at)
    }
  }

  offset(key: Key): number {
    const s = this.map.get(key)
    if (!s) throw new Error('a value that no node reads or writes has no place')
    return s.offset
  }

  get all(): Storage[] {
    return [...this.map.values()]
  }
}

/**
 * Gives every storage an offset: largest first, each as low as it fits. Returns the bytes of the arena. With `block`, a storage that
 * is no larger lies across no multiple of it, and a larger one, whose parts may have been placed likewise, begins at one.
 */
export function assignOffsets(storages: readonly Storage[], block = Number.POSITIVE_INFINITY): number {
  const within = (offset: number, bytes: number): number => {
    const left = block - (offset % block)
    return bytes <= left || left === block ? offset : offset + left
  }
  const placed: Storage[] = []
  let end = 0
  for (const s of [...storages].sort((a, b) => b.bytes - a.bytes)) {
    const near = placed
      .filter((p) => p.first <= s.last && s.first <= p.last)
      .sort((a, b) => a.offset - b.offset)
    let offset = 0
    for (const p of near) {
      if (offset + s.bytes <= p.offset) break
      offset = within(Math.max(offset, p.offset + p.bytes), s.bytes)
    }
    s.offset = offset
    placed.push(s)
    end = Math.max(end, offset + s.bytes)
  }
  return end
}
