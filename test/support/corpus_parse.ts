/** Runs a format's parser over bytes cut at given or random places, for tests. */
import type { CorpusFormat, CorpusRecord } from '../../src/data/corpus/format.js'
import { type Random, random } from './random.js'

/** The records of a file given in pieces; `cut` gives the length of the next piece. */
export function parseCorpus(
  format: CorpusFormat,
  content: string | Uint8Array,
  { labels = true, cut = () => Infinity }: { labels?: boolean; cut?: () => number } = {},
): CorpusRecord[] {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const parser = format.parser({ labels })
  const records: CorpusRecord[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + Math.max(1, cut()))
    // a piece of its own that is overwritten afterwards, as the contract allows
    const piece = Uint8Array.from(bytes.subarray(at, end))
    records.push(...parser.write(piece))
    piece.fill(0x21)
    at = end
  }
  return [...records, ...parser.end()]
}

/** Cuts that are mostly short. */
export function randomCuts(seed: number, r: Random = random(seed)): () => number {
  return () => (r.uniform() < 0.5 ? 1 + r.integer(4) : 1 + r.integer(200))
}

/** Documents as arrays of their paragraphs, records that are left out as `reason@byte`. */
export function brief(records: readonly CorpusRecord[]): (string | readonly string[])[] {
  return records.map((record) =>
    record.kind === 'document' ? record.paragraphs : `${record.reason}@${record.byte}`,
  )
}
