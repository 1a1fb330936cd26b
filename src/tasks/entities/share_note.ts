/**
 * A clinical note and its gold mentions as sentences of tagged words. Notes are split at blank lines, then into sentences and
 * words; a mention takes every word that it touches. Tags hold what IOB2 can say, the annotation stands beside them:
 *
 *   one run of whole words  B I I, longest first; what shares a word with one that is tagged is not
 *   several runs            each run as an entity of its own, as conlleval reads the B .. I of BLUE's files
 *
 * What tags cannot say (several runs, cut words, overlaps) stays a gold mention in `Sentence.mentions`, so that it costs recall.
 */
import { type Span, sentenceSpans } from '../../data/corpus/sentences.js'
import { splitWords, type Word } from '../../data/corpus/words.js'
import type { EntitySpan } from '../metrics/entities.js'
import type { NerSentence } from './sentence.js'
import type { GoldMention } from './share_gold.js'

export interface Note {
  /** Without its ending. */
  readonly name: string
  readonly path: string
  readonly text: string
  readonly mentions: readonly GoldMention[]
}

/** What can be wrong with a mention, or wants saying; a mention may have several. */
export const FINDINGS = [
  'discontinuous',
  'overlapping',
  'across_sentences',
  'word_cut',
  'misfit',
  'adjacent',
  'duplicate',
] as const
export type Finding = (typeof FINDINGS)[number]

export interface TaggedNote {
  readonly sentences: NerSentence[]
  /** Mentions, duplicates counted once. */
  readonly mentions: number
  /** Of these, the ones that no prediction of tags can be. */
  readonly inexpressible: number
  /** Those that share words with others and so are not in the tags. */
  readonly untagged: number
  readonly findings: readonly { readonly finding: Finding; readonly where: string }[]
}

/** A word of the note with its sentence. */
interface Placed extends Word {
  readonly sentence: number
}

/** Words [start, end) of the note in one sentence. */
interface Run {
  readonly start: number
  readonly end: number
}

interface PlacedMention {
  readonly runs: readonly Run[]
  readonly exact: boolean
  readonly where: string
}

export function tagNote({ name, text, mentions }: Note): TaggedNote {
  const spans = noteSentences(text)
  const rows = spans.map(({ start, end }) => splitWords(text.slice(start, end)).map(moved(start)))
  const words: Placed[] = rows.flatMap((row, sentence) => row.map((word) => ({ ...word, sentence })))
  const firsts = startsOf(rows)
  const findings: { finding: Finding; where: string }[] = []
  const placed: PlacedMention[] = []
  const known = new Set<string>()
  for (const { stretches, misplaced } of mentions) {
    const where = `${name} ${stretches.map(([start, end]) => `${start}-${end}`).join(', ')}`
    const found = misplaced ? MISFIT : place(stretches, words, text.length)
    const key = found.exact ? `words ${found.runs[0].start}-${found.runs[0].end}` : where
    if (known.has(key)) {
      findings.push({ finding: 'duplicate', where })
      continue
    }
    known.add(key)
    findings.push(...found.findings.map((finding) => ({ finding, where })))
    placed.push({ runs: found.runs, exact: found.exact, where })
  }
  const { tags, overlapping } = tagged(placed, words)
  findings.push(...overlapping.map((where) => ({ finding: 'overlapping' as const, where })))
  const beside = besideTags(placed, words, firsts, rows.length)
  return {
    sentences: rows.map((row, s) => ({
      words: row.map((word) => word.text),
      tags: tags.slice(firsts[s], firsts[s] + row.length),
      mentions: beside[s],
      line: lineOf(text, row[0].start),
    })),
    mentions: placed.length,
    inexpressible: placed.filter(({ exact }) => !exact).length,
    untagged: overlapping.length,
    findings,
  }
}

/** Sentences of the paragraphs between blank lines, those without a word left out. */
function noteSentences(text: string): Span[] {
  const spans: Span[] = []
  let at = 0
  for (const paragraph of text.split(/(\n[^\S\n]*(?=\n))/)) {
    const from = at
    spans.push(
      ...sentenceSpans(paragraph).map((span) => ({ start: from + span.start, end: from + span.end })),
    )
    at += paragraph.length
  }
  return spans.filter(({ start, end }) => splitWords(text.slice(start, end)).length > 0)
}

interface Place {
  readonly runs: readonly Run[]
  readonly exact: boolean
  readonly findings: readonly Finding[]
}

const MISFIT: Place = { runs: [], exact: false, findings: ['misfit'] }

/** The words that a mention touches, as runs, and what there is to say of that. */
function place(stretches: GoldMention['stretches'], words: readonly Placed[], length: number): Place {
  const touched = stretches.map(([start, end]) => {
    const first = words.findIndex((word) => word.end > start)
    let after = first < 0 ? words.length : first
    while (after < words.length && words[after].start < end) after++
    return { start: first < 0 ? words.length : first, end: after }
  })
  const fits = touched.every((run, i) => stretches[i][1] <= length && run.end > run.start)
  if (!fits) return MISFIT
  const findings: Finding[] = []
  const cut = stretches.some(
    ([start, end], i) => words[touched[i].start].start < start || words[touched[i].end - 1].end > end,
  )
  if (cut) findings.push('word_cut')
  const runs = runsOf(touched, words)
  const joined = joinedRuns(runs)
  if (stretches.length > 1) findings.push(joined ? 'adjacent' : 'discontinuous')
  if (words[runs[0].start].sentence !== words[runs[runs.length - 1].start].sentence)
    findings.push('across_sentences')
  return { runs, exact: runs.length === 1 && !cut, findings }
}

/** Words side by side are one run, but not across sentences. */
function runsOf(touched: readonly Run[], words: readonly Placed[]): Run[] {
  const indices = new Set(
    touched.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
  )
  const runs: { start: number; end: number }[] = []
  for (const index of [...indices].sort((a, b) => a - b)) {
    const open = runs.at(-1)
    if (open?.end === index && words[index].sentence === words[open.start].sentence) open.end++
    else runs.push({ start: index, end: index + 1 })
  }
  return runs
}

/** Whether the runs follow each other, so that only the end of a sentence divides them. */
function joinedRuns(runs: readonly Run[]): boolean {
  return runs.every(({ start }, i) => i === 0 || start === runs[i - 1].end)
}

/** Tags of all words of the note: what tags can say first, the longer before the shorter. */
function tagged(
  placed: readonly PlacedMention[],
  words: readonly Placed[],
): { tags: string[]; overlapping: string[] } {
  const tags = words.map(() => 'O')
  const overlapping: string[] = []
  const size = ({ runs }: PlacedMention) => runs.reduce((n, { start, end }) => n + end - start, 0)
  const order = placed
    .filter(({ runs }) => runs.length > 0)
    .sort(
      (a, b) => Number(b.exact) - Number(a.exact) || size(b) - size(a) || a.runs[0].start - b.runs[0].start,
    )
  for (const { runs, where } of order) {
    const taken = runs.some(({ start, end }) => tags.slice(start, end).some((tag) => tag !== 'O'))
    if (taken) overlapping.push(where)
    else
      for (const { start, end } of runs) for (let w = start; w < end; w++) tags[w] = w === start ? 'B' : 'I'
  }
  return { tags, overlapping }
}

/** The gold mentions of every sentence; one without a place stands with the last sentence. */
function besideTags(
  placed: readonly PlacedMention[],
  words: readonly Placed[],
  firsts: readonly number[],
  sentences: number,
): (EntitySpan | null)[][] {
  const beside: (EntitySpan | null)[][] = Array.from({ length: sentences }, () => [])
  for (const { runs, exact } of placed) {
    if (runs.length === 0) {
      beside.at(-1)?.push(null)
      continue
    }
    const [{ start, end }] = runs
    const { sentence } = words[start]
    const first = firsts[sentence]
    beside[sentence].push(exact ? { start: start - first, end: end - first, type: '' } : null)
  }
  return beside
}

function startsOf(rows: readonly (readonly Word[])[]): number[] {
  let at = 0
  return rows.map(({ length }) => {
    at += length
    return at - length
  })
}

function moved(by: number): (word: Word) => Word {
  return (word) => ({ text: word.text, start: by + word.start, end: by + word.end })
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
