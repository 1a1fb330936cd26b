/**
 * The files that BLUE makes of ShARe/CLEF and BC5CDR: word, document (`-` after the first word of a sentence), offset, tag, quoted as
 * csv does (`""""` is a quotation mark). They differ from other columns in an I after O: it goes on with the last mention, which
 * is discontinuous. Each stretch becomes an entity of its own here, the mention stays gold that is missed (sentence.ts).
 *
 *   left B   atrium I   is O   dilated I        two entities in the tags, one mention that no tags can say
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { quote } from '../../data/files/text.js'
import { readText } from '../../data/files/text_node.js'
import { InputError, UserError } from '../../error.js'
import type { EntitySpan } from '../metrics/entities.js'
import { counted } from '../shared/parts.js'
import type { DataSet, Split } from '../task.js'
import { checkTags } from './data_set.js'
import { labelNames, type NerFile } from './reader.js'
import type { NerSentence } from './sentence.js'

const NAMES = {
  train: ['train.tsv', 'Training.tsv'],
  dev: ['devel.tsv', 'dev.tsv', 'Development.tsv'],
  test: ['test.tsv', 'Test.tsv'],
} as const

const EXPECTED = "BLUE's four columns: word, document or -, offset, tag (O, B, I or with a type)"
const TAG = /^(O|[BI](-.+)?)$/u
/** Rows that are looked at to tell the form. */
const ENOUGH = 20
const NAMED = 3

/** A file as it is scored, and as the checks of tags want it. */
export interface BlueSplit extends Split<NerSentence> {
  readonly notes: readonly string[]
  readonly facts: Readonly<Record<string, unknown>>
  readonly file: NerFile
}

/** The three files by part, undefined where one is missing. */
export function blueFiles(folder: string): { part: string; path: string | undefined }[] {
  return Object.entries(NAMES).map(([part, names]) => ({
    part,
    path: names.map((name) => join(folder, name)).find((path) => existsSync(path)),
  }))
}

/** Whether the rows of a file have BLUE's columns, a sentence of several words among them. */
export function isBlue(path: string): boolean {
  const rows = readText(path, 'a file of labelled sentences')
    .split('\n')
    .filter((row) => row.trim() !== '')
    .slice(0, ENOUGH)
    .map(cells)
  const fits = (row: string[]) => row.length === 4 && /^\d+$/.test(row[2]) && TAG.test(row[3])
  return rows.length > 0 && rows.every(fits) && rows[0][1] !== '-' && rows.some((row) => row[1] === '-')
}

export function readBlueFolder(folder: string): DataSet<NerSentence> {
  const [train, dev, test] = blueFiles(folder).map(({ part, path }) => {
    if (path === undefined)
      throw new UserError(
        `${folder}: found no ${part} part, expected ${NAMES[part as keyof typeof NAMES].join(' or ')}`,
      )
    return readBlue(path)
  })
  labelNames([train.file, dev.file, test.file])
  const labels = labelNames([train.file])
  for (const { file } of [dev, test]) checkTags(file, labels, `a type that ${train.path} has`)
  const parts = Object.entries({ train, dev, test })
  const split = ({ path, items }: BlueSplit): Split<NerSentence> => ({ path, items })
  return {
    form: 'blue',
    train: split(train),
    dev: split(dev),
    test: split(test),
    labels,
    notes: parts.flatMap(([part, { notes }]) => notes.map((note) => `${part}: ${note}`)),
    facts: {
      scheme: 'IOB2',
      form: 'blue',
      mentions: Object.fromEntries(parts.map(([part, { facts }]) => [part, facts.mentions])),
    },
  }
}

interface Row {
  readonly word: string
  readonly document: string
  readonly tag: string
}

export function readBlue(path: string): BlueSplit {
  const sentences: NerSentence[] = []
  const discontinuous: { document: string; mention: string }[] = []
  let mentions = 0
  let document = ''
  for (const { rows, line } of blocks(path)) {
    if (rows[0].document !== '-') document = rows[0].document
    const read = sentenceOf(rows, line)
    mentions += read.mentions.length
    sentences.push(read.sentence)
    discontinuous.push(...read.broken.map((mention) => ({ document, mention })))
  }
  if (sentences.length === 0)
    throw new InputError({ file: path, found: 'no labelled word', expected: EXPECTED })
  const documents = new Set(discontinuous.map((one) => one.document))
  const notes = [`${counted(mentions)} mentions, BLUE's columns`]
  if (discontinuous.length > 0)
    notes.push(
      `${counted(discontinuous.length)} mentions in ${counted(documents.size)} documents are discontinuous (an I after O), which IOB2 ` +
        `cannot say: each stretch is tagged as an entity of its own, the mention counts as gold that is missed (${named(discontinuous)})`,
    )
  const tagSet = new Set(sentences.flatMap(({ tags }) => tags))
  const known = labelNames([{ path, sentences, tagSet: [...tagSet], tagsAsRead: [] }])
  return {
    path,
    items: sentences,
    notes,
    facts: {
      scheme: 'IOB2',
      form: 'blue',
      mentions: { mentions, discontinuous: discontinuous.length, discontinuous_notes: documents.size },
    },
    file: {
      path,
      sentences,
      tagSet: known.filter((tag) => tagSet.has(tag)),
      scheme: 'IOB2',
      tagsAsRead: sentences.map(({ tags }) => tags),
    },
  }
}

/** Rows of a sentence at a time. */
function blocks(path: string): { rows: Row[]; line: number }[] {
  const found: { rows: Row[]; line: number }[] = []
  let open: Row[] | undefined
  readText(path, 'a file of labelled sentences')
    .split('\n')
    .forEach((text, i) => {
      if (text.trim() === '') {
        open = undefined
        return
      }
      const row = cells(text)
      const [word, document, offset, tag] = row
      if (row.length !== 4 || !/^\d+$/.test(offset) || word === '' || !TAG.test(tag))
        throw new InputError({ file: path, line: i + 1, found: quote(text), expected: EXPECTED })
      if (open === undefined) {
        open = []
        found.push({ rows: open, line: i + 1 })
      }
      open.push({ word, document, tag })
    })
  return found
}

/** One sentence, its mentions, and the words of those that are discontinuous. */
function sentenceOf(
  rows: readonly Row[],
  line: number,
): { sentence: NerSentence; mentions: (EntitySpan | null)[]; broken: string[] } {
  const runs: { start: number; end: number; type: string }[][] = []
  const tags = rows.map(({ tag }, i) => {
    if (tag === 'O') return tag
    const type = tag.slice(2)
    const run = runs.at(-1)?.at(-1)
    if (tag[0] === 'B') runs.push([{ start: i, end: i + 1, type }])
    else if (run?.end === i && run.type === type) {
      run.end++
      return tag
    } else if (run === undefined || run.type !== type) runs.push([{ start: i, end: i + 1, type }])
    else runs.at(-1)?.push({ start: i, end: i + 1, type })
    return `B${tag.slice(1)}`
  })
  const mentions = runs.map((stretches) => (stretches.length === 1 ? stretches[0] : null))
  const broken = runs
    .filter(({ length }) => length > 1)
    .map((stretches) =>
      stretches
        .map(({ start, end }) =>
          rows
            .slice(start, end)
            .map(({ word }) => word)
            .join(' '),
        )
        .join(' ... '),
    )
  return { sentence: { words: rows.map(({ word }) => word), tags, mentions, line }, mentions, broken }
}

/** Cells of a row; csv doubles a quotation mark and quotes its cell. */
function cells(row: string): string[] {
  const text = row.endsWith('\r') ? row.slice(0, -1) : row
  return text.split('\t').map((cell) => {
    const quoted = /^"((?:[^"]|"")*)"$/.exec(cell)
    return quoted === null ? cell : quoted[1].replaceAll('""', '"')
  })
}

function named(found: readonly { document: string; mention: string }[]): string {
  const rest = found.length - NAMED
  const first = found.slice(0, NAMED).map(({ document, mention }) => `${basename(document)}: ${mention}`)
  return first.join('; ') + (rest > 0 ? `; and ${counted(rest)} more` : '')
}
