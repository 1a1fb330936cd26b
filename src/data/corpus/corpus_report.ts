/** What became of the inputs of a corpus: records kept and left out, and why, for each source, which is a file and a format. */
import { dirname } from 'node:path'
import type { Defect, PartReport, SourceCounts } from './part.js'
import { addLines, type LineCounts, noLines } from './rules.js'

export interface CorpusReport extends LineCounts {
  out: string
  /** Records that were left out, by reason. */
  dropped: Record<string, number>
  sources: SourceCounts[]
  /** The first records that are broken or too large. */
  defects: Defect[]
  /** Files in folders and archives that no format takes. */
  otherFiles: number
  /** Pieces of the work, and how many of them an earlier run had done. */
  parts: number
  reusedParts: number
}

/** More sources than these are summed by folder. */
const MOST_SOURCES = 1000
const MOST_DEFECTS = 10

export interface Outcome {
  out: string
  reports: readonly PartReport[]
  otherFiles: number
  reusedParts: number
}

export function reportOf({ out, reports, otherFiles, reusedParts }: Outcome): CorpusReport {
  const all = summed(
    reports.flatMap(({ sources }) => sources),
    (file) => file,
  )
  const sources = all.length > MOST_SOURCES ? summed(all, (file) => `${dirname(file)}/`) : all
  const lines = noLines()
  const dropped: Record<string, number> = {}
  for (const source of sources) {
    addLines(lines, source.lines)
    addCounts(dropped, source.dropped)
  }
  return {
    out,
    ...lines,
    dropped,
    sources,
    defects: reports.flatMap(({ defects }) => defects).slice(0, MOST_DEFECTS),
    otherFiles: otherFiles + reports.reduce((sum, { others }) => sum + others, 0),
    parts: reports.length,
    reusedParts,
  }
}

/** Counts of the sources whose files have one name, in the order in which these come. */
function summed(sources: readonly SourceCounts[], name: (file: string) => string): SourceCounts[] {
  const sums = new Map<string, SourceCounts>()
  for (const { file, format, lines, dropped } of sources) {
    const key = `${format}\0${name(file)}`
    const sum = sums.get(key) ?? { file: name(file), format, lines: noLines(), dropped: {} }
    sums.set(key, sum)
    addLines(sum.lines, lines)
    addCounts(sum.dropped, dropped)
  }
  return [...sums.values()]
}

function addCounts(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(more)) sum[reason] = (sum[reason] ?? 0) + count
}
