/**
 * plan.json of an evaluation: the options that its runs were made with. The same OUT takes more models, sets, seeds and folds,
 * but no other settings, no other weights under a name that is taken and no other data: scores side by side would then not be
 * of one evaluation. What is different is named.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { readText } from '../data/files/text_node.js'
import { InputError, UsageError } from '../error.js'
import { makeFolder, refuseExisting, writeFileAtomic } from '../files.js'
import type { BenchmarkModel } from './models.js'
import { type BenchmarkSet, type PlannedRun, type RunPlace, runFolder } from './plan.js'

export const PLAN_FILE = 'plan.json'

/** Options of all runs by the names of the command line; what was not given is absent. */
export type Pinned = Readonly<Record<string, string | number | boolean>>

const model = z.object({
  name: z.string(),
  dir: z.string(),
  parameters: z.number(),
  step: z.number().optional(),
  digest: z.string(),
})
const set = z.object({
  name: z.string(),
  task: z.string(),
  form: z.string(),
  folder: z.string(),
  metric: z.string(),
  unit: z.string(),
  train: z.number(),
  dev: z.number(),
  test: z.number(),
  folds: z.number().optional(),
  note: z.string().optional(),
})
const run = z.object({ set: z.string(), model: z.string(), seed: z.number(), fold: z.number().optional() })
const planSchema = z.object({
  format: z.literal('bioalbert benchmark plan'),
  version: z.literal(1),
  options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  models: z.array(model),
  sets: z.array(set),
  runs: z.array(run),
})
type PlanFile = z.infer<typeof planSchema>

export interface Pinning {
  readonly options: Pinned
  readonly models: readonly BenchmarkModel[]
  readonly sets: readonly BenchmarkSet[]
  readonly runs: readonly PlannedRun[]
}

/**
 * All runs that OUT is to hold: those of an earlier evaluation there, and these. Throws a UsageError that says what differs
 * where the two do not go together. Nothing is written.
 */
export function plannedIn(out: string, pinning: Pinning): RunPlace[] {
  return placesOf(mergePlans(readPlan(out), pinning, out))
}

/** As `plannedIn`, and keeps the plan in OUT. */
export function pinPlan(out: string, pinning: Pinning): RunPlace[] {
  const plan = mergePlans(readPlan(out), pinning, out)
  makeFolder(out)
  writeFileAtomic(join(out, PLAN_FILE), `${JSON.stringify(plan, null, 2)}\n`)
  return placesOf(plan)
}

function placesOf({ models, sets, runs }: PlanFile): RunPlace[] {
  return runs.flatMap(({ set: setName, model: modelName, seed, fold }) => {
    const set = sets.find(({ name }) => name === setName)
    const model = models.find(({ name }) => name === modelName)
    if (set === undefined || model === undefined) return []
    const dir = runFolder(setName, modelName, seed, fold)
    return [{ set, model, seed, ...(fold !== undefined && { fold }), dir }]
  })
}

function readPlan(out: string): PlanFile | undefined {
  const file = join(out, PLAN_FILE)
  if (!existsSync(file)) {
    refuseExisting(out)
    return undefined
  }
  const expected = 'the plan of an evaluation (bioalbert benchmark plan, version 1)'
  let json: unknown
  try {
    json = JSON.parse(readText(file, expected))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new InputError({ file, found: error.message, expected })
  }
  const parsed = planSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]
  throw new InputError({ file, found: `${path.join('.')}: ${message}`, expected })
}

function mergePlans(
  before: PlanFile | undefined,
  { options, models, sets, runs }: Pinning,
  out: string,
): PlanFile {
  const now: PlanFile = {
    format: 'bioalbert benchmark plan',
    version: 1,
    options: { ...options },
    models: models.map(({ name, dir, parameters, step, digest }) => ({
      ...{ name, dir: placeOf(dir), parameters },
      ...(step !== undefined && { step }),
      digest,
    })),
    sets: sets.map(({ known: _, ...set }) => ({ ...set, folder: resolve(set.folder) })),
    runs: runs.map(({ set, model, seed, fold }) => ({
      ...{ set: set.name, model: model.name, seed },
      ...(fold !== undefined && { fold }),
    })),
  }
  if (before === undefined) return now
  const differs = [
    ...optionDifferences(before.options, now.options),
    ...now.models.flatMap((model) => modelDifferences(before.models, model)),
    ...now.sets.flatMap((set) => setDifferences(before.sets, set)),
  ]
  if (differs.length > 0)
    throw new UsageError(
      `${out}: holds an evaluation with other options (${differs.join('; ')}); repeat those, which goes on with it, ` +
        'or name another --out. Models, sets, seeds and folds may be added',
    )
  return {
    ...now,
    models: united(before.models, now.models, ({ name }) => name),
    sets: united(before.sets, now.sets, ({ name }) => name),
    runs: united(before.runs, now.runs, ({ set, model, seed, fold }) => `${set}|${model}|${seed}|${fold}`),
  }
}

/** Random weights have no place. */
function placeOf(dir: string): string {
  return dir.startsWith('random:') ? dir : resolve(dir)
}

function united<T>(before: readonly T[], now: readonly T[], key: (one: T) => string): T[] {
  const known = new Set(before.map(key))
  return [...before, ...now.filter((one) => !known.has(key(one)))]
}

function optionDifferences(before: Pinned, now: Pinned): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
  const shown = (value: unknown) => (value === undefined ? 'not given' : String(value))
  return names
    .filter((name) => before[name] !== now[name])
    .map((name) => `--${name} was ${shown(before[name])}, now ${shown(now[name])}`)
}

function modelDifferences(before: PlanFile['models'], now: PlanFile['models'][number]): string[] {
  const same = before.find(({ name }) => name === now.name)
  if (same === undefined || same.digest === now.digest) return []
  return same.dir === now.dir
    ? [`the weights or the vocabulary of model ${now.name} in ${now.dir} have changed`]
    : [`model ${now.name} was ${same.dir}, now ${now.dir}`]
}

function setDifferences(before: PlanFile['sets'], now: PlanFile['sets'][number]): string[] {
  const same = before.find(({ name }) => name === now.name)
  if (same === undefined) return []
  const counts = (one: PlanFile['sets'][number]) => `${one.train} / ${one.dev} / ${one.test}`
  if (counts(same) !== counts(now)) return [`${now.name} had ${counts(same)} items, now ${counts(now)}`]
  return same.form === now.form ? [] : [`${now.name} was read as ${same.form}, now as ${now.form}`]
}
