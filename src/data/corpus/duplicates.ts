/**
 * Of several records with one id the one with the highest version counts, the last among equals; a record that is left out, or a
 * deletion, takes with it what came before. The indexes of all parts are gone through in order, several times where there are many
 * ids, each time for a share that fits a table of fixed size: 36 million ids are five passes over 0.9 GB of files and take
 * 0.3 GB of memory (the table, and a byte for every record); a baseline file's thirty thousand take 2 MB.
 */
import { type EntryBlock, KIND, readEntries } from './part_index.js'

/** Why a document is left out: the marks of `findLosers`, and their words in the report. */
export const LOST = { duplicate: 1, older_version: 2, deleted: 3 } as const
export type LostReason = keyof typeof LOST

export function lostReason(mark: number): LostReason {
  return (Object.keys(LOST) as LostReason[])[mark - 1]
}

const MOST_IDS = 8 << 20

/** A mark for each of the `total` entries of all indexes, in order: 0 where it stays. `most` ids are looked at in a pass. */
export function findLosers(indexes: readonly string[], total: number, most = MOST_IDS): Uint8Array {
  const marks = new Uint8Array(total)
  const passes = Math.max(1, Math.ceil(total / most))
  // a share of the ids may be a little larger than the average
  const table = new Table(Math.ceil((total / passes) * (passes > 1 ? 1.1 : 1)))
  for (let pass = 0; pass < passes; pass++) {
    let ordinal = 0
    for (const index of indexes) {
      for (const block of readEntries(index)) {
        for (let i = 0; i < block.length; i++, ordinal++) {
          if (block.high(i) % passes === pass && !(block.high(i) === 0 && block.low(i) === 0))
            table.meet(block, i, ordinal, marks)
        }
      }
    }
    table.clear()
  }
  return marks
}

/** The record that counts for each id so far: open addressing over flat arrays. */
class Table {
  private readonly mask: number
  private readonly high: Uint32Array
  private readonly low: Uint32Array
  private readonly version: Uint32Array
  /** Ordinal + 1; 0 is a free slot. */
  private readonly holder: Uint32Array
  private readonly deleted: Uint8Array

  constructor(ids: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, ids * 1.5)))
    this.mask = slots - 1
    this.high = new Uint32Array(slots)
    this.low = new Uint32Array(slots)
    this.version = new Uint32Array(slots)
    this.holder = new Uint32Array(slots)
    this.deleted = new Uint8Array(slots)
  }

  clear(): void {
    this.holder.fill(0)
  }

  meet(block: EntryBlock, i: number, ordinal: number, marks: Uint8Array): void {
    const [high, low, kind] = [block.high(i), block.low(i), block.kind(i)]
    let slot = low & this.mask
    while (this.holder[slot] !== 0 && (this.high[slot] !== high || this.low[slot] !== low))
      slot = (slot + 1) & this.mask
    const isNew = this.holder[slot] === 0
    const before = isNew || this.deleted[slot] === 1 ? 0 : this.version[slot]
    let version = block.version(i)
    // formats do not tell the version of what they leave out
    if (kind === KIND.dropped && version === 0) version = before
    if (!isNew && kind !== KIND.deletion && version < before) {
      marks[ordinal] = LOST.older_version
      return
    }
    if (!isNew) {
      const reason =
        kind === KIND.deletion ? 'deleted' : version > before ? 'older_version' : ('duplicate' as const)
      marks[this.holder[slot] - 1] = LOST[reason]
    }
    this.high[slot] = high
    this.low[slot] = low
    this.version[slot] = version
    this.holder[slot] = ordinal + 1
    this.deleted[slot] = kind === KIND.deletion ? 1 : 0
  }
}
