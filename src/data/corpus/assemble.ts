/**
 * The whole corpus from its parts: the documents of every part in order, but for those that another record of their id takes the
 * place of. Those are moved in the counts of their source from what is kept to what is left out, and why.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { writeWholeAsync } from '../../files.js'
import { findLosers, lostReason } from './duplicates.js'
import type { PartReport } from './part.js'
import { KIND, readEntries } from './part_index.js'
import { countLines, noLines } from './rules.js'

export interface Assembly {
  /** The file to write. */
  readonly path: string
  /** Paths of parts without their endings, in order, and their reports, whose counts are put right. */
  readonly stems: readonly string[]
  readonly reports: readonly PartReport[]
  readonly signal?: AbortSignal
}

const CHUNK = 1 << 20
const BLANK_LINE = Buffer.from('\n')

export async function assemble({ path, stems, reports, signal }: Assembly): Promise<void> {
  const total = reports.reduce((sum, { entries }) => sum + entries, 0)
  const marks = findLosers(
    stems.map((stem) => `${stem}.index`),
    total,
  )
  await writeWholeAsync(path, async (write) => {
    const joined = new Joined(write)
    let first = 0
    for (const [i, stem] of stems.entries()) {
      signal?.throwIfAborted()
      const file = openSync(`${stem}.text`, 'r')
      try {
        await copyPart(file, stem, marks.subarray(first, first + reports[i].entries), reports[i], joined)
      } finally {
        closeSync(file)
      }
      first += reports[i].entries
    }
  })
}

/** Documents that end in a blank line become documents with one between. */
class Joined {
  private any = false

  constructor(private readonly write: (bytes: Uint8Array) => Promise<void>) {}

  /** Copies bytes [start, end), whole documents. */
  async copy(file: number, start: number, end: number): Promise<void> {
    if (start === end) return
    if (this.any) await this.write(BLANK_LINE)
    this.any = true
    for (let at = start; at < end - 1; at += CHUNK) {
      await this.write(readAt(file, at, Math.min(CHUNK, end - 1 - at)))
    }
  }
}

async function copyPart(
  file: number,
  stem: string,
  marks: Uint8Array,
  report: PartReport,
  joined: Joined,
): Promise<void> {
  if (marks.every((mark) => mark === 0)) return joined.copy(file, 0, statSync(`${stem}.text`).size)
  let start = 0
  let end = 0
  let ordinal = 0
  for (const block of readEntries(`${stem}.index`)) {
    for (let i = 0; i < block.length; i++, ordinal++) {
      if (block.kind(i) !== KIND.document) continue
      const bytes = block.bytes(i)
      if (marks[ordinal] !== 0) {
        await joined.copy(file, start, end)
        leaveOut(report, block.source(i), marks[ordinal], readAt(file, end, bytes))
        start = end + bytes
      }
      end += bytes
    }
  }
  await joined.copy(file, start, end)
}

function leaveOut({ sources }: PartReport, source: number, mark: number, bytes: Buffer): void {
  const { lines, dropped } = sources[source]
  const lost = { ...noLines(), ...countLines(bytes) }
  for (const key of Object.keys(lines) as (keyof typeof lines)[]) lines[key] -= lost[key]
  const reason = lostReason(mark)
  dropped[reason] = (dropped[reason] ?? 0) + 1
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let got = 0; got < length; ) {
    const more = readSync(file, bytes, got, length - got, position + got)
    if (more === 0) throw new Error('a part of the corpus is shorter than its index says')
    got += more
  }
  return bytes
}
