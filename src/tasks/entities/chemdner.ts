/**
 * CHEMDNER (BC4CHEMD) as it was released, for those who have not the columns made of it: abstracts and their mentions in files of
 * each part. Titles and abstracts are notes of their own (share_note.ts), all classes are one type, as in the columns.
 *
 *   training.abstracts.txt     pmid<TAB>title<TAB>abstract
 *   training.annotations.txt   pmid<TAB>T or A<TAB>start<TAB>end<TAB>mention<TAB>class
 *
 * Offsets count characters (code points) of title or abstract; the mention's text says whether they do.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { quote } from '../../data/files/text.js'
import { readText } from '../../data/files/text_node.js'
import { InputError } from '../../error.js'
import type { DataSet, Split } from '../task.js'
import type { NerSentence } from './sentence.js'
import { says, splitOf, summary, tagAll } from './share_counts.js'
import type { GoldMention } from './share_gold.js'
import type { Note, TaggedNote } from './share_note.js'

const STEMS = { train: 'training', dev: 'development', test: 'evaluation' } as const
const ABSTRACTS = '.abstracts.txt'
const UNIT = 'titles and abstracts'

/** Whether a folder holds the release. */
export function isChemdner(folder: string): boolean {
  return existsSync(join(folder, `${STEMS.train}${ABSTRACTS}`))
}

/** Whether a file is one of abstracts, with its annotations beside it. */
export function isAbstracts(path: string): boolean {
  return path.endsWith(ABSTRACTS) && existsSync(annotationsOf(path))
}

export function readChemdner(folder: string): DataSet<NerSentence> {
  const parts = Object.entries(STEMS).map(([part, stem]) => {
    const path = join(folder, `${stem}${ABSTRACTS}`)
    return { part, path, notes: tagAll(readNotes(path)) }
  })
  const [train, dev, test] = parts.map(({ path, notes }) => splitOf(path, notes))
  return {
    form: 'chemdner',
    train,
    dev,
    test,
    labels: ['O', 'B', 'I'],
    notes: parts.flatMap(({ part, notes }) => says(notes, part, UNIT)),
    facts: factsOf(Object.fromEntries(parts.map(({ part, notes }) => [part, summary(notes)]))),
  }
}

/** One part, by its file of abstracts. */
export function readChemdnerFile(path: string): Split<NerSentence> {
  const notes: TaggedNote[] = tagAll(readNotes(path))
  return { ...splitOf(path, notes), notes: says(notes, 'data', UNIT), facts: factsOf(summary(notes)) }
}

function factsOf(mentions: unknown): Record<string, unknown> {
  return { scheme: 'IOB2', form: 'chemdner', mentions }
}

function readNotes(path: string): Note[] {
  const gold = readMentions(annotationsOf(path))
  const notes = rowsOf(path, 3, 'pmid, title and abstract').flatMap(({ cells: [pmid, title, abstract] }) =>
    [
      { name: `${pmid} T`, text: title },
      { name: `${pmid} A`, text: abstract },
    ].map(({ name, text }) => {
      const mentions = (gold.get(name) ?? []).map(({ mention, ...offsets }) =>
        located(text, mention, offsets),
      )
      return { name, path, text, mentions }
    }),
  )
  const names = new Set(notes.map(({ name }) => name))
  for (const [name, [{ line }]] of gold)
    if (!names.has(name))
      throw new InputError({
        file: annotationsOf(path),
        line,
        found: `a mention in ${name}`,
        expected: `a text of ${path}`,
      })
  return notes
}

interface Annotation {
  readonly start: number
  readonly end: number
  readonly mention: string
  readonly type: string
  readonly line: number
}

/** By the text that they are of: `12345678 T`. */
function readMentions(path: string): Map<string, Annotation[]> {
  const found = new Map<string, Annotation[]>()
  const expected = 'pmid, T or A, start, end, mention and class'
  for (const { cells, line } of rowsOf(path, 6, expected)) {
    const [pmid, where, start, end, mention, type] = cells
    if (!/^[TA]$/.test(where) || !/^\d+$/.test(start) || !/^\d+$/.test(end))
      throw new InputError({ file: path, line, found: quote(cells.join('\t')), expected })
    const name = `${pmid} ${where}`
    const one = { start: Number(start), end: Number(end), mention, type, line }
    found.set(name, [...(found.get(name) ?? []), one])
  }
  return found
}

/** Offsets in UTF-16 units, as the rest of the program counts. */
function located(
  text: string,
  mention: string,
  { start, end, type }: Omit<Annotation, 'mention'>,
): GoldMention {
  const from = units(text, start)
  const to = units(text, end)
  const misplaced = text.slice(from, to) !== mention
  return { stretches: [[from, to]], type, ...(misplaced && { misplaced }) }
}

/** The UTF-16 units that the first `count` characters take. */
function units(text: string, count: number): number {
  let at = 0
  for (let i = 0; i < count && at < text.length; i++) at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1
  return at
}

function annotationsOf(abstracts: string): string {
  return `${abstracts.slice(0, -ABSTRACTS.length)}.annotations.txt`
}

function rowsOf(path: string, width: number, expected: string): { cells: string[]; line: number }[] {
  return readText(path, expected)
    .split('\n')
    .flatMap((row, i) => {
      if (row.trim() === '') return []
      const cells = row.replace(/\r$/, '').split('\t')
      if (cells.length !== width)
        throw new InputError({ file: path, line: i + 1, found: `${cells.length} columns`, expected })
      return [{ cells, line: i + 1 }]
    })
}
