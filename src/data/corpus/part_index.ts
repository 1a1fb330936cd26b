/**
 * The index of a part: six 32-bit words for every document, and for every record that is left out but speaks of its id. In the order
 * of the records, so that the place of a document in the text of the part is the sum of the bytes before it.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

/** What an entry stands for. A record that is left out, such as one that was retracted, takes earlier ones of its id with it. */
export const KIND = { document: 0, dropped: 1, deletion: 2 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

/** An id in 64 bits; [0, 0] is none. */
export type Key = readonly [high: number, low: number]

export interface IndexEntry {
  readonly key: Key
  /** 0 where the format has none. */
  readonly version: number
  readonly kind: Kind
  /** Of the document in the text of the part. */
  readonly bytes: number
  /** Which of the part's sources it came from. */
  readonly source: number
}

export const NO_KEY: Key = [0, 0]

const WORDS = 6
const READ = 1 << 16

/** Formats whose ids are of one kind: an abstract in either is the same abstract. */
const idsOf: Readonly<Record<string, string>> = { medline: 'pubmed-xml' }

/** The key of an id among those of its format. Of 36 million ids, two share a key with a chance of 1 in 28,000. */
export function keyOf(format: string, id: string | undefined): Key {
  if (id === undefined) return NO_KEY
  const digest = createHash('sha256')
    .update(`${idsOf[format] ?? format}\0${id}`)
    .digest()
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)]
}

export function encodeEntries(entries: readonly IndexEntry[]): Uint8Array {
  const words = new Uint32Array(entries.length * WORDS)
  entries.forEach(({ key, version, kind, bytes, source }, i) => {
    words.set([key[0], key[1], version, kind, bytes, source], i * WORDS)
  })
  return new Uint8Array(words.buffer)
}

/** Entries of a file, some thousands at a time. */
export function* readEntries(path: string): Generator<EntryBlock> {
  const descriptor = openSync(path, 'r')
  try {
    const words = new Uint32Array(READ * WORDS)
    const bytes = new Uint8Array(words.buffer)
    for (;;) {
      let length = 0
      for (let got = -1; got !== 0 && length < bytes.length; length += got)
        got = readSync(descriptor, bytes, length, bytes.length - length, null)
      if (length === 0) return
      yield new EntryBlock(words, Math.floor(length / 4 / WORDS))
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Fields of entries without an object for each. */
export class EntryBlock {
  constructor(
    private readonly words: Uint32Array,
    readonly length: number,
  ) {}

  high(i: number): number {
    return this.words[i * WORDS]
  }
  low(i: number): number {
    return this.words[i * WORDS + 1]
  }
  version(i: number): number {
    return this.words[i * WORDS + 2]
  }
  kind(i: number): Kind {
    return this.words[i * WORDS + 3] as Kind
  }
  bytes(i: number): number {
    return this.words[i * WORDS + 4]
  }
  source(i: number): number {
    return this.words[i * WORDS + 5]
  }
}
