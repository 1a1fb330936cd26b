/**
 * The files of a data set: train, dev and test found by their names in a folder, or those of a numbered fold, whose training
 * part may be the tests of the other folds.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../error.js'

/** Endings of files that can hold a part, tables before JSON lines. */
const ENDINGS = ['tsv', 'jsonl', 'txt', 'json']
const NAMES = {
  train: ['train', 'training'],
  dev: ['dev', 'devel', 'development', 'valid', 'validation'],
  test: ['test', 'testing'],
} as const

export type Part = keyof typeof NAMES
const PARTS = Object.keys(NAMES) as Part[]

/** Paths of files; several where a part is put together, none where it has to be held out. */
export interface SplitFiles {
  readonly train: readonly string[]
  readonly dev: string | undefined
  readonly test: string
  /** Where the data set has folds. */
  readonly folds?: number
  readonly fold?: number
}

export interface FindOptions {
  readonly fold?: number
  /** What stands behind the part in a file's name, such as `_sentences`. */
  readonly suffix?: string
  /** Names without their ending that are never meant. */
  readonly skip?: RegExp
}

/** Finds the files. Throws UserError where there is no train or test file, or two that could be. */
export function findSplits(folder: string, options: FindOptions = {}): SplitFiles {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder}: found no folder, expected one with train, dev and test files`)
  const whole = filesOf(folder, options)
  const folds = whole.train || whole.test ? [] : foldsOf(folder, options)
  if (folds.length > 0) return findFold(folder, folds, options.fold ?? 1, options)
  if (options.fold !== undefined)
    throw new UserError(`${folder}: has no folds, a fold is for data sets that have (folders 1, 2, ...)`)
  return {
    train: [needed(whole.train, 'train', folder)],
    dev: whole.dev,
    test: needed(whole.test, 'test', folder),
  }
}

interface Fold {
  readonly number: number
  readonly files: Partial<Record<Part, string>>
}

function foldsOf(folder: string, options: FindOptions): Fold[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^[1-9]\d*$/.test(entry.name))
    .map(({ name }) => ({ number: Number(name), files: filesOf(join(folder, name), options) }))
    .filter(({ files }) => files.test !== undefined)
    .sort((a, b) => a.number - b.number)
}

function findFold(folder: string, folds: Fold[], fold: number, options: FindOptions): SplitFiles {
  const chosen = folds.find(({ number }) => number === fold)
  if (chosen === undefined)
    throw new UserError(
      `${folder}: found no fold ${fold}, expected one of ${folds.map((f) => f.number).join(', ')}`,
    )
  const others = folds.filter((other) => other !== chosen).map(({ files }) => files.test as string)
  const train = chosen.files.train === undefined ? others : [chosen.files.train]
  if (train.length === 0)
    throw new UserError(
      `${folder}: found one fold without a train file, expected train.tsv or tests of other folds`,
    )
  return {
    train,
    dev: filesOf(join(folder, String(fold)), options).dev,
    test: chosen.files.test as string,
    folds: folds.length,
    fold,
  }
}

function needed(path: string | undefined, part: Part, folder: string): string {
  if (path !== undefined) return path
  const names = ENDINGS.map((ending) => `${NAMES[part][0]}.${ending}`).join(', ')
  throw new UserError(`${folder}: found no ${part} file, expected one of ${names}`)
}

/** The files of a folder by what they hold: `train.tsv` before names that have the word in them (`mli_train_v1.jsonl`). */
function filesOf(folder: string, { suffix = '', skip }: FindOptions): Partial<Record<Part, string>> {
  const files = readdirSync(folder)
    .map((name) => ({
      name,
      stem: name.slice(0, name.lastIndexOf('.')),
      ending: name.slice(name.lastIndexOf('.') + 1),
    }))
    .filter(({ stem, ending }) => ENDINGS.includes(ending) && !skip?.test(stem))
  const found: Partial<Record<Part, string>> = {}
  for (const part of PARTS) {
    const words: readonly string[] = NAMES[part]
    const exact = files.filter(({ stem }) => words.some((word) => stem.toLowerCase() === word + suffix))
    const close = files.filter(({ stem }) => speaksOf(stem, part, suffix))
    const candidates = exact.length > 0 ? exact : close
    if (candidates.length > 1)
      throw new UserError(
        `${folder}: found ${candidates.map(({ name }) => name).join(' and ')}, expected one ${part} file`,
      )
    if (candidates.length === 1) found[part] = join(folder, candidates[0].name)
  }
  return found
}

/** Whether a name speaks of this part, and of no other as `train_dev` does. */
function speaksOf(stem: string, part: Part, suffix: string): boolean {
  const lower = stem.toLowerCase()
  if (!lower.endsWith(suffix)) return false
  const pieces = lower.split(/[^a-z]+/)
  const spoken = PARTS.filter((other) =>
    pieces.some((piece) => (NAMES[other] as readonly string[]).includes(piece)),
  )
  return spoken.length === 1 && spoken[0] === part
}
