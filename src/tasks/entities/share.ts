/**
 * ShARe/CLEF eHealth 2013 task 1 as it is released, and what is alike (SemEval 2014 task 7): notes and gold files in any folders
 * below one. The innermost folder whose name has `train`, `dev` or `test` in it says whose part a note is; gold is found by the name
 * of the note, wherever it lies.
 *
 *   Task1TrainSetCorpus199/ALLREPORTS/*.txt   Task1TrainSetGOLD199knowtatorehost/.../*.txt.knowtator.xml
 *   Task1TestSetCorpus100/ALLREPORTS/*.txt    Task1Gold_SN2012/Gold_SN2012/*.txt
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { readText } from '../../data/files/text_node.js'
import { InputError, UserError } from '../../error.js'
import { counted, holdOut } from '../shared/parts.js'
import type { DataSet, Split } from '../task.js'
import type { NerSentence } from './sentence.js'
import { listed, says, splitOf, summary, tagAll } from './share_counts.js'
import { type GoldMention, holdsPipes, noteName, parseKnowtator, parsePipes } from './share_gold.js'
import type { Note } from './share_note.js'

type PartName = 'train' | 'dev' | 'test'

interface NoteFile {
  readonly path: string
  readonly text: string
  readonly part?: PartName
}

interface Release {
  readonly notes: (Note & { part?: PartName })[]
  /** What was left out, for people. */
  readonly remarks: string[]
}

const DEEPEST = 6
/** Bytes that tell gold from other text. */
const BEGINNING = 4096

/** Whether gold of this form lies below a folder. */
export function isShare(folder: string): boolean {
  return filesBelow(folder).some(
    (file) =>
      /\.(pipe|knowtator\.xml)(\.txt)?$/i.test(file) || (/\.txt$/i.test(file) && holdsPipes(beginning(file))),
  )
}

export function readShareFolder(folder: string, seed: number): DataSet<NerSentence> {
  const { notes, remarks } = readRelease(folder)
  const of = (part: PartName) => notes.filter((note) => note.part === part)
  const stray = notes.filter(({ part }) => part === undefined)
  if (stray.length > 0) remarks.push(`left out, in no folder of train, dev or test: ${named(stray)}`)
  let [train, dev] = [of('train'), of('dev')]
  const test = of('test')
  for (const [part, found] of Object.entries({ train, test }))
    if (found.length === 0)
      throw new UserError(
        `${folder}: found no note with gold mentions for ${part}, expected .txt files in a folder with ${part} in its name`,
      )
  const facts: Record<string, unknown> = {}
  if (dev.length === 0) {
    const all = train.length
    ;({ train, dev } = holdOut(train, ({ name }) => ({ text: name, label: '' }), seed))
    remarks.push(
      `no dev part: ${counted(dev.length)} of ${counted(all)} training notes are held out (a tenth, seed ${seed})`,
    )
    facts.held_out = dev.length
    if (dev.length === 0)
      throw new UserError(`${folder}: found one training note, expected two or more, or a dev part`)
  }
  const parts = { train: tagAll(train), dev: tagAll(dev), test: tagAll(test) }
  const split = (part: PartName) => splitOf(folder, parts[part])
  const perPart = Object.fromEntries(Object.entries(parts).map(([part, found]) => [part, summary(found)]))
  return {
    form: 'share',
    train: split('train'),
    dev: split('dev'),
    test: split('test'),
    labels: ['O', 'B', 'I'],
    notes: [...remarks, ...Object.entries(parts).flatMap(([part, found]) => says(found, part))],
    facts: { ...facts, scheme: 'IOB2', form: 'share', mentions: perPart },
  }
}

/** All notes below a folder as one part. */
export function readShareNotes(folder: string): Split<NerSentence> {
  const { notes, remarks } = readRelease(folder)
  if (notes.length === 0)
    throw new UserError(
      `${folder}: found no note with gold mentions, expected .txt files and gold of their names`,
    )
  const found = tagAll(notes)
  return {
    ...splitOf(folder, found),
    notes: [...remarks, ...says(found, 'data')],
    facts: { scheme: 'IOB2', form: 'share', mentions: summary(found) },
  }
}

/** Notes that have gold, in the order of their names. */
function readRelease(folder: string): Release {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder}: found no folder, expected one with notes and their gold mentions`)
  const texts = new Map<string, NoteFile>()
  const gold = new Map<string, readonly GoldMention[]>()
  const empty: string[] = []
  for (const path of filesBelow(folder)) {
    if (!/\.(txt|text|pipe|knowtator\.xml)$/i.test(path)) continue
    const text = readText(path, 'a note or its gold mentions')
    if (/\.xml$/i.test(path)) addGold(gold, noteName(path), parseKnowtator(text, path), path)
    else if (text.trim() === '') empty.push(noteName(path))
    else if (/\.pipe(\.txt)?$/i.test(path) || holdsPipes(text))
      for (const [name, mentions] of parsePipes(text, path)) addGold(gold, name, mentions, path)
    else addNote(texts, { path, text, part: partOf(relative(folder, path)) })
  }
  // an empty file is the gold of a note without mentions
  for (const name of empty) if (!gold.has(name)) gold.set(name, [])
  const names = [...texts.keys()].sort()
  const without = names.filter((name) => !gold.has(name))
  const strays = [...gold.keys()].filter((name) => !texts.has(name) && gold.get(name)?.length).sort()
  const remarks: string[] = []
  if (without.length > 0) remarks.push(`left out, notes without a gold file: ${listed(without)}`)
  if (strays.length > 0) remarks.push(`left out, gold without a note: ${listed(strays)}`)
  const notes = names.flatMap((name) => {
    const { path, text, part } = texts.get(name) as NoteFile
    const mentions = gold.get(name)
    return mentions === undefined ? [] : [{ name, path, text, mentions, part }]
  })
  const types = [...new Set(notes.flatMap(({ mentions }) => mentions.map(({ type }) => type)))].sort()
  if (types.length > 1) remarks.push(`mentions of ${types.join(', ')} are read as one type`)
  return { notes, remarks }
}

function addGold(
  gold: Map<string, readonly GoldMention[]>,
  name: string,
  mentions: readonly GoldMention[],
  file: string,
): void {
  const before = gold.get(name)
  // released in two forms: both say the same, or nobody knows which is meant
  if (before !== undefined && keys(before) !== keys(mentions))
    throw new InputError({
      file,
      found: `other mentions of ${name} than another file has`,
      expected: 'gold once, or twice the same',
    })
  gold.set(name, mentions)
}

function keys(mentions: readonly GoldMention[]): string {
  return mentions
    .map(({ stretches }) => stretches.join(' '))
    .sort()
    .join('\n')
}

/** A note may lie in ALLREPORTS and in its division by BLUE, DEV_REPORTS, which then says whose part it is. */
function addNote(texts: Map<string, NoteFile>, note: NoteFile): void {
  const name = noteName(note.path)
  const before = texts.get(name)
  if (before === undefined) {
    texts.set(name, note)
    return
  }
  const parts = [before.part, note.part]
  const divided = parts.includes('train') && parts.includes('dev')
  if (before.text !== note.text || (before.part !== note.part && !divided))
    throw new InputError({
      file: note.path,
      found: `a note of the name of ${before.path}`,
      expected: 'names of their own',
    })
  if (note.part === 'dev') texts.set(name, note)
}

function partOf(path: string): PartName | undefined {
  for (const name of path.split(sep).slice(0, -1).reverse()) {
    const found = /train|dev|test/i.exec(name)
    if (found !== null) return found[0].toLowerCase() as PartName
  }
  return undefined
}

/** Other folders than this form's may hold texts of any size. */
function beginning(file: string): string {
  const bytes = Buffer.alloc(BEGINNING)
  const handle = openSync(file, 'r')
  try {
    return bytes.toString('utf8', 0, readSync(handle, bytes))
  } finally {
    closeSync(handle)
  }
}

function filesBelow(folder: string, depth = 0): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return depth < DEEPEST ? filesBelow(path, depth + 1) : []
      return entry.isFile() ? [path] : []
    })
}

function named(notes: readonly Note[]): string {
  return listed(notes.map(({ name }) => name))
}
