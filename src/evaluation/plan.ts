/**
 * The plan of an evaluation: which sets of a data folder, which models, seeds and folds, hence which runs, in the order in
 * which they are done: every model on every set with the first seed, then with the next, so that whenever it is stopped there
 * is something to compare.
 */
import { join } from 'node:path'
import { UserError } from '../error.js'
import type { KnownSet } from '../tasks/datasets/known.js'
import { dataSet, dataSets, findDataSets, formOf, readCounts } from '../tasks/datasets.js'
import type { Task } from '../tasks/task.js'
import type { BenchmarkModel } from './models.js'
import type { ModelRecord, SetRecord } from './record.js'

export interface BenchmarkSet extends SetRecord {
  readonly known: KnownSet
  readonly form: string
  readonly folder: string
}

/** A run by its place. */
export interface RunPlace {
  readonly set: SetRecord
  readonly model: ModelRecord
  readonly seed: number
  /** From 1, of a set that has folds. */
  readonly fold?: number
  /** Its folder inside OUT. */
  readonly dir: string
}

export interface PlannedRun extends RunPlace {
  readonly set: BenchmarkSet
  readonly model: BenchmarkModel
}

export interface SetChoices {
  readonly data: string
  /** Stems or aliases; all where nothing is said. */
  readonly tasks?: readonly string[]
  /** Names of sets; those of the papers and their stand-ins where nothing is said. */
  readonly sets?: readonly string[]
}

/** The task of a stem or alias. */
export type TaskLookup = (name: string) => Task

/**
 * The sets that are wanted and there, read once for their counts. Throws a UserError where a set that was named is not there,
 * none is, or one cannot be read.
 */
export function chooseSets({ data, tasks, sets }: SetChoices, taskNamed: TaskLookup): BenchmarkSet[] {
  const wanted = sets?.map(dataSet)
  const stems = tasks?.map((name) => taskNamed(name).name)
  const folders = findDataSets(data)
  const isWanted = (set: KnownSet) =>
    (stems?.includes(set.task) ?? true) && (wanted?.includes(set) ?? set.variantOf === undefined)
  for (const set of wanted ?? [])
    if (isWanted(set) && !folders.has(set.name))
      throw new UserError(
        `${data}: found no folder of ${set.name}, expected one called ${[set.name, ...set.aliases].join(' or ')}`,
      )
  const chosen = dataSets.filter((set) => isWanted(set) && folders.has(set.name))
  if (chosen.length === 0)
    throw new UserError(`${data}: found none of the wanted data sets (datasets --data lists what is there)`)
  return chosen.map((known) => {
    const task = taskNamed(known.task)
    const [folder] = folders.get(known.name) ?? []
    const { items } = readCounts(known, folder, task, known.folds && 1)
    return {
      name: known.name,
      task: task.name,
      metric: task.metric,
      unit: task.unit,
      ...{ train: items.train, dev: items.dev, test: items.test },
      ...(known.folds !== undefined && { folds: known.folds }),
      ...(known.small !== undefined && { note: known.small }),
      known,
      form: formOf(known, task),
      folder,
    }
  })
}

/** `base`, `base` + 1, ... */
export function seedsFrom(base: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => base + i)
}

/** All runs in order. `folds` is how many tests of a set that has several are made. */
export function planRuns(
  sets: readonly BenchmarkSet[],
  models: readonly BenchmarkModel[],
  seeds: readonly number[],
  folds: number | 'all',
): PlannedRun[] {
  return seeds.flatMap((seed) =>
    sets.flatMap((set) =>
      foldsOf(set, folds).flatMap((fold) =>
        models.map((model) => ({
          set,
          model,
          seed,
          ...(fold !== undefined && { fold }),
          dir: runFolder(set.name, model.name, seed, fold),
        })),
      ),
    ),
  )
}

function foldsOf({ folds: all }: SetRecord, wanted: number | 'all'): (number | undefined)[] {
  if (all === undefined) return [undefined]
  return seedsFrom(1, wanted === 'all' ? all : Math.min(wanted, all))
}

/** Inside OUT; the name of a set may have a character that is none of a folder's. */
export function runFolder(set: string, model: string, seed: number, fold?: number): string {
  const last = `seed-${seed}${fold === undefined ? '' : `-fold-${fold}`}`
  return join('runs', set.replace(/[^\w.+-]+/g, '-'), model, last)
}
