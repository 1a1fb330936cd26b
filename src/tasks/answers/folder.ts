/**
 * A folder of questions as three parts: files whose names say train, dev (devel, valid) and test (golden), several of a part
 * read together. What is missing is held out by whole articles, drawn from the seed: dev from train; dev and test, a tenth
 * each, from a single file. Where there is no test file but a dev file, as SQuAD has it, the dev file is the test part.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Philox } from '../../data/random.js'
import { UserError } from '../../error.js'
import type { DataSet, ReadOptions, Split } from '../task.js'
import { kindOf, type Part, partOf, readSource, type Source } from './files.js'
import { type Kind, type Question, SPAN_LABELS, YES_NO } from './question.js'
import { NULL_WINDOWS } from './windows.js'

const HELD_OUT = 0.1
/** Names the stream of random numbers. */
const DIVISION = 0x616e7377
/** Ids that a note names. */
const NAMED = 5

type PartName = 'train' | 'dev' | 'test'

const PATTERNS: readonly [PartName, RegExp][] = [
  ['train', /(^|[^a-z])train/i],
  ['dev', /(^|[^a-z])(dev|valid)/i],
  ['test', /(^|[^a-z])(test|golden)/i],
]

/** Reads and divides a folder. Throws InputError or UserError naming the file at fault. */
export function readAnswersFolder(folder: string, { form, fold, seed }: ReadOptions): DataSet<Question> {
  if (fold !== undefined) throw new UserError(`${folder}: has no folds, --fold is for data sets that have`)
  const named = filesByPart(folder)
  const sources = new Map([...named].map(([name, files]) => [name, files.map(readSource)]))
  const kind = kindOf(form, [...sources.values()].flat())
  const parts = new Map([...sources].map(([name, some]) => [name, partOf(kind, some)]))
  const division = divide(parts, folder, seed)
  const split = (name: PartName): Split<Question> => {
    const files = named.get(division.from[name]) ?? []
    return { path: files.length === 1 ? files[0] : folder, items: division[name] }
  }
  const [train, dev, test] = (['train', 'dev', 'test'] as const).map(split)
  const labels = kind === 'yesno' ? YES_NO : SPAN_LABELS
  const { notes, facts } = remarks(kind, [...parts.values()], [...sources.values()].flat())
  return {
    train,
    dev,
    test,
    labels,
    notes: [...division.notes, ...notes],
    facts: { ...facts, held_out: division.heldOut, seed: division.heldOut === null ? null : seed },
  }
}

function filesByPart(folder: string): Map<PartName, string[]> {
  const expected = 'train*.json, and dev*.json, test*.json where there are some, or one file of all'
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder}: found no folder, expected one with ${expected}`)
  const names = readdirSync(folder)
    .filter((name) => /\.jsonl?$/i.test(name))
    .sort()
  const parts = new Map<PartName, string[]>()
  for (const name of names) {
    const part = PATTERNS.find(([, pattern]) => pattern.test(name))?.[0]
    if (part) parts.set(part, [...(parts.get(part) ?? []), join(folder, name)])
  }
  if (parts.size === 0 && names.length === 1) parts.set('train', [join(folder, names[0])])
  if (parts.has('train')) return parts
  const found =
    names.length === 0 ? 'no JSON file' : `${names.slice(0, NAMED).join(', ')} and no file for training`
  throw new UserError(`${folder}: found ${found}, expected ${expected}`)
}

interface Division extends Record<PartName, Question[]> {
  /** The part of the files that each is from. */
  readonly from: Record<PartName, PartName>
  readonly heldOut: string | null
  readonly notes: string[]
}

function divide(parts: ReadonlyMap<PartName, Part>, folder: string, seed: number): Division {
  const [train, dev, test] = (['train', 'dev', 'test'] as const).map((name) => parts.get(name)?.questions)
  if (train === undefined) throw new Error('divide: no questions to train on')
  if (dev && test)
    return { train, dev, test, from: { train: 'train', dev: 'dev', test: 'test' }, heldOut: null, notes: [] }
  const groups = grouped(train)
  const wanted = dev || test ? 1 : 2
  if (groups.length <= wanted)
    throw new UserError(
      `${folder}: found ${groups.length} texts or questions in the file for training, expected enough to hold ${wanted} parts out`,
    )
  const what = train[0].group === undefined ? 'questions' : 'articles or texts'
  new Philox(seed, DIVISION).shuffle(groups)
  const some = Math.max(1, Math.round(groups.length * HELD_OUT))
  const take = () => groups.splice(0, some)
  const held = take().flat()
  if (dev || test) {
    const notes = [
      `dev: a tenth of the training file by ${what}, drawn from seed ${seed} (${held.length} questions)`,
      ...(test ? [] : ['test: the dev file, as there is no test file']),
    ]
    const from = { train: 'train', dev: 'train', test: test ? 'test' : 'dev' } as const
    const rest = inOrder(groups.flat(), train)
    return { train: rest, dev: inOrder(held, train), test: test ?? dev ?? [], from, heldOut: 'dev', notes }
  }
  const tested = take().flat()
  const note = `no division is given: train, dev and test are 80, 10 and 10 of 100 by ${what}, drawn from seed ${seed}`
  return {
    train: inOrder(groups.flat(), train),
    dev: inOrder(held, train),
    test: inOrder(tested, train),
    from: { train: 'train', dev: 'train', test: 'train' },
    heldOut: 'dev and test',
    notes: [note],
  }
}

/** Questions by group; those without one stand alone. */
function grouped(questions: readonly Question[]): Question[][] {
  const groups = new Map<number | string, Question[]>()
  for (const question of questions) {
    const key = question.group ?? question.id
    const group = groups.get(key)
    if (group) group.push(question)
    else groups.set(key, [question])
  }
  return [...groups.values()]
}

function inOrder(some: readonly Question[], all: readonly Question[]): Question[] {
  const kept = new Set(some)
  return all.filter((question) => kept.has(question))
}

/** What is said of questions, to people and to scripts. */
export function remarks(
  kind: Kind,
  parts: readonly Part[],
  sources: readonly Source[],
): { notes: string[]; facts: Record<string, unknown> } {
  const questions = parts.flatMap((part) => part.questions)
  const all = (of: (part: Part) => string[]) => parts.flatMap(of)
  const left = parts.reduce((n, part) => n + part.left, 0)
  const [misplaced, unfound, missing] = [
    all((p) => p.misplaced),
    all((p) => p.unfound),
    all((p) => p.missing),
  ]
  const impossible = questions.filter(({ gold }) => gold?.length === 0).length
  const notes: string[] = []
  const note = (ids: readonly string[], what: string) => {
    if (ids.length > 0) notes.push(`${ids.length} ${what} (${named(ids)})`)
  }
  note(misplaced, 'questions have an answer that is not where its offset points: not learnt from')
  note(unfound, 'questions have their answer in none of their snippets: not learnt from')
  note(missing, "questions of BioASQ's own file have no snippet in the others: left out")
  if (left > 0)
    notes.push(`${left} questions of other types, or without an answer or a snippet, are left out`)
  if (impossible > 0) notes.push(`${impossible} of ${questions.length} questions have no answer`)
  if (kind !== 'yesno')
    notes.push(
      `windows without the answer are learnt as having none at [CLS], at most ${NULL_WINDOWS} of a text, spread evenly`,
    )
  if (kind === 'yesno') notes.push('snippets are read one after the other, up to the length of an example')
  if (kind === 'bioasq' && !sources.some(({ bioasq }) => bioasq))
    notes.push(
      "the synonyms of an answer are the texts marked in its snippets: BioASQ's own file is not there",
    )
  const facts = {
    questions_are: kind,
    questions: questions.length,
    articles: parts.reduce((n, { articles }) => n + articles, 0),
    without_answer: impossible,
    misplaced,
    unfound,
    missing,
    left_out: left,
  }
  return { notes, facts }
}

function named(ids: readonly string[]): string {
  return ids.length > NAMED ? `${ids.slice(0, NAMED).join(', ')}, ...` : ids.join(', ')
}
