/**
 * Masked instances on disk and in memory. Payload, in 16-bit words: record offsets u32 [instances + 1], then
 * records [n, splitAt, sop | source << 8, k, ids [n], positions [k], labels [k]], an id being one word for
 * vocabularies up to 65,536 pieces and two (low, high) above.
 */
import { bytesOf } from './document_shard.js'
import { brokenRecord, readShard, writeShard } from './shard_file.js'

/** Where the label of an instance's pair comes from, in the order of the codes in a record. */
export const SOURCES = ['in_order', 'swapped', 'random_document', 'resplit'] as const
export type Source = (typeof SOURCES)[number]

/** A masked pretraining instance: `[CLS] A [SEP] B [SEP]`. */
export interface Instance {
  /** [n] masked input ids, n <= S. */
  ids: Int32Array
  /** Segment 1 (B and its [SEP]) starts here. */
  splitAt: number
  /** [k] masked positions, ascending. */
  positions: Int32Array
  /** [k] ids to predict there. */
  labels: Int32Array
  /** The label of the pair: 1 where A and B are not in their order (sop), or B does not follow A (nsp). */
  sop: 0 | 1
  source: Source
}

export interface InstanceCounts {
  instances: number
  tokens: number
  predictions: number
  sources: Record<Source, number>
}

export function noCounts(): InstanceCounts {
  const sources = Object.fromEntries(SOURCES.map((source) => [source, 0])) as Record<Source, number>
  return { instances: 0, tokens: 0, predictions: 0, sources }
}

export function addCounts(sum: InstanceCounts, more: InstanceCounts): void {
  sum.instances += more.instances
  sum.tokens += more.tokens
  sum.predictions += more.predictions
  for (const source of SOURCES) sum.sources[source] += more.sources[source]
}

/** Instances being collected. */
export class InstanceBuffer {
  private words = new Uint16Array(1 << 14)
  private top = 0
  private readonly offsets: number[] = [0]
  readonly counts = noCounts()

  constructor(private readonly idBytes: 2 | 4) {}

  /** Adds ids[0..n) with k masked places. */
  add(
    ids: Int32Array,
    n: number,
    splitAt: number,
    sop: 0 | 1,
    source: number,
    positions: Int32Array,
    labels: Int32Array,
    k: number,
  ): void {
    const wide = this.idBytes / 2
    const size = 4 + wide * (n + k) + k
    if (this.top + size > this.words.length) {
      const larger = new Uint16Array(Math.max(this.top + size, 2 * this.words.length))
      larger.set(this.words.subarray(0, this.top))
      this.words = larger
    }
    const { words } = this
    let at = this.top
    words[at++] = n
    words[at++] = splitAt
    words[at++] = sop | (source << 8)
    words[at++] = k
    for (let i = 0; i < n; i++) {
      words[at++] = ids[i]
      if (wide === 2) words[at++] = ids[i] >>> 16
    }
    for (let i = 0; i < k; i++) words[at++] = positions[i]
    for (let i = 0; i < k; i++) {
      words[at++] = labels[i]
      if (wide === 2) words[at++] = labels[i] >>> 16
    }
    this.top = at
    this.offsets.push(at)
    this.counts.instances++
    this.counts.tokens += n
    this.counts.predictions += k
    this.counts.sources[SOURCES[source]]++
  }

  /** What was collected, to be read. */
  shard(): InstanceShard {
    return new InstanceShard(
      'memory',
      this.idBytes,
      Uint32Array.from(this.offsets),
      this.words.subarray(0, this.top),
    )
  }

  write(path: string, digest: string, maxLength: number): void {
    const { instances, predictions } = this.counts
    const records = this.words.subarray(0, this.top)
    writeShard(
      path,
      'BALBINST',
      digest,
      this.idBytes,
      [instances, maxLength, predictions],
      [bytesOf(Uint32Array.from(this.offsets)), bytesOf(records)],
    )
  }
}

/** Instances to be read by number. */
export class InstanceShard {
  constructor(
    private readonly path: string,
    private readonly idBytes: 2 | 4,
    private readonly offsets: Uint32Array,
    private readonly words: Uint16Array,
  ) {}

  static read(path: string, digest: string): InstanceShard {
    const { header, payload } = readShard(path, 'BALBINST', digest)
    const [instances] = header.counts
    const recordsAt = 4 * (instances + 1)
    if (payload.length < recordsAt || payload.length % 2 !== 0) {
      throw brokenRecord(path, 0, `a payload of ${payload.length} bytes`, `at least ${recordsAt}`)
    }
    return new InstanceShard(
      path,
      header.idBytes,
      new Uint32Array(payload.buffer, 0, instances + 1),
      new Uint16Array(payload.buffer, recordsAt),
    )
  }

  get count(): number {
    return this.offsets.length - 1
  }

  instance(index: number): Instance {
    const { words, offsets } = this
    const wide = this.idBytes / 2
    const from = offsets[index]
    const n = words[from]
    const k = words[from + 3]
    const end = from + 4 + wide * (n + k) + k
    if (end !== offsets[index + 1] || end > words.length) {
      throw brokenRecord(
        this.path,
        4 * offsets.length + 2 * from,
        `a record of ${end - from} words`,
        'another size',
      )
    }
    let at = from + 4
    const ids = this.idsAt(at, n)
    at += wide * n
    const positions = Int32Array.from(words.subarray(at, at + k))
    const labels = this.idsAt(at + k, k)
    return {
      ids,
      splitAt: words[from + 1],
      positions,
      labels,
      sop: (words[from + 2] & 1) as 0 | 1,
      source: SOURCES[words[from + 2] >> 8],
    }
  }

  private idsAt(at: number, count: number): Int32Array {
    const { words } = this
    if (this.idBytes === 2) return Int32Array.from(words.subarray(at, at + count))
    return Int32Array.from({ length: count }, (_, i) => words[at + 2 * i] | (words[at + 2 * i + 1] << 16))
  }
}
