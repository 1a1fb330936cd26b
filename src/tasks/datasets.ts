/**
 * The data sets of the papers: found below a folder by the names that their folders go by, read through their task and
 * compared with what was released. `datasets` prints it, `benchmark` takes its sets from here. The tables are in datasets/.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError, UsageError, UserError } from '../error.js'
import { entitySets } from './datasets/entities.js'
import type { Counts, KnownSet, Release } from './datasets/known.js'
import { otherSets } from './datasets/others.js'
import { relationSets } from './datasets/relations.js'
import type { Task } from './task.js'

/** The papers' twenty, in the order of the 2022 paper's tasks, then those beside them. */
export const dataSets: readonly KnownSet[] = [...entitySets, ...relationSets, ...otherSets].sort(
  (a, b) => Number(a.beside !== undefined) - Number(b.beside !== undefined),
)

/** What reads a set; index.ts has one for each stem. */
export type Reader = Pick<Task, 'forms' | 'read'>

/** Letters and digits alone: `BC5CDR-chem-IOB`, `bc5cdr_chem_iob` and `BC5CDR/chem IOB` are one name. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function names({ name, aliases }: KnownSet): string[] {
  return [name, ...aliases].map(plain)
}

/** The set of that name. Throws a UsageError that lists them all. */
export function dataSet(name: string): KnownSet {
  // a set's own name goes before what another is called elsewhere
  const found =
    dataSets.find((set) => plain(set.name) === plain(name)) ??
    dataSets.find((set) => names(set).includes(plain(name)))
  if (found) return found
  throw new UsageError(`no data set ${name}; known are ${dataSets.map((set) => set.name).join(', ')}`)
}

/** Deeper folders are not looked into. */
const DEEPEST = 5

/** Every folder below `root`, itself first, the upper ones before the lower. */
function foldersBelow(root: string): string[] {
  if (!existsSync(root)) throw new UserError(`${root}: found no folder, expected one that holds data sets`)
  const found = [root]
  for (let level = [root], depth = 0; level.length > 0 && depth < DEEPEST; depth++) {
    level = level.flatMap(innerFolders)
    found.push(...level)
  }
  return found
}

function innerFolders(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => join(folder, entry.name))
    .sort()
}

/** The folders below `root` that hold the sets, by name of the set; a set may be there more than once. */
export function findDataSets(root: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  let folders: string[]
  try {
    folders = foldersBelow(root)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error
    throw new InputError({ file: root, found: 'a file', expected: 'a folder that holds data sets' })
  }
  for (const folder of folders) {
    const set = setOfFolder(folder)
    if (set) found.set(set.name, [...(found.get(set.name) ?? []), folder])
  }
  return found
}

/** A folder is known by its own name, or by that and the one above: `BioASQ/4b`. */
function setOfFolder(folder: string): KnownSet | undefined {
  const own = basename(folder)
  const isNamed = (set: KnownSet) =>
    [own, `${basename(dirname(folder))}${own}`].some((name) => names(set).includes(plain(name)))
  const holds = ({ holds: files }: KnownSet) =>
    files === undefined || files.some((file) => existsSync(join(folder, file)))
  return dataSets.find((set) => isNamed(set) && holds(set))
}

export interface SetCheck {
  readonly set: KnownSet
  readonly state: 'as released' | 'differs' | 'not counted' | 'unreadable' | 'missing'
  readonly folder?: string
  /** Further folders of that name, which were not read. */
  readonly also: readonly string[]
  /** Items as read; of fold 1 where there are folds. */
  readonly items?: Required<Counts>
  /** Whose release has these counts. */
  readonly release?: string
  /** What is not as it should be, a line each. */
  readonly differs: readonly string[]
  /** What the task says of the files. */
  readonly notes: readonly string[]
}

/** Reads a set through its task, every fold of it, and compares the counts of its items with the releases. */
export function checkDataSet(set: KnownSet, folders: readonly string[], reader: Reader): SetCheck {
  const [folder, ...also] = folders
  if (folder === undefined) return { set, state: 'missing', also, differs: [], notes: [] }
  try {
    const { items, notes } = readCounts(set, folder, reader, set.folds && 1)
    const release = set.releases.find((one) => differences(one, items).length === 0)
    const differs = release || set.releases.length === 0 ? [] : differences(set.releases[0], items)
    if (set.folds !== undefined) differs.push(...foldDifferences(set, folder, reader, items.total))
    const state = differs.length > 0 ? 'differs' : release ? 'as released' : 'not counted'
    return { set, state, folder, also, items, release: release?.by, differs, notes }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { set, state: 'unreadable', folder, also, differs: [error.message], notes: [] }
  }
}

/** Counts of the items of a set as its task reads it. */
export function readCounts(
  set: KnownSet,
  folder: string,
  reader: Reader,
  fold?: number,
): { items: Required<Counts>; notes: readonly string[] } {
  const { train, dev, test, notes } = reader.read(folder, { form: formOf(set, reader), fold, seed: 0 })
  const [a, b, c] = [train, dev, test].map(({ items }) => items.length)
  return { items: { train: a, dev: b, test: c, total: a + b + c }, notes }
}

/** The form in which a set is read. */
export function formOf({ form }: KnownSet, { forms }: Pick<Task, 'forms'>): string {
  return form ?? forms[0]
}

const SPLITS = ['train', 'dev', 'test', 'total'] as const

function differences({ by, items: wanted }: Release, items: Required<Counts>): string[] {
  return SPLITS.flatMap((split) => {
    const want = wanted[split]
    if (want === undefined || want === items[split]) return []
    return [`${split} has ${number(items[split])}, ${number(want)} as released (${by})`]
  })
}

/** Every fold has all items, and the test parts of all folds together are all items. */
function foldDifferences(set: KnownSet, folder: string, reader: Reader, total: number): string[] {
  const differs: string[] = []
  let tested = 0
  for (let fold = 1; fold <= (set.folds ?? 0); fold++) {
    const { items } = readCounts(set, folder, reader, fold)
    tested += items.test
    if (items.total !== total)
      differs.push(`fold ${fold} has ${number(items.total)}, fold 1 ${number(total)}`)
  }
  if (tested !== total)
    differs.push(`the test parts of all folds have ${number(tested)} together, fold 1 has ${number(total)}`)
  return differs
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
