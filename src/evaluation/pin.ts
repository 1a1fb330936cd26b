/**
 * plan.json of an evaluation: the options that its runs were made with. The same OUT takes more models, sets, seeds and folds,
 * but no other settings, no other weights under a name that is taken and no other data: scores side by side would then not be
 * of one evaluation. What is different is named.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { readText } from '../data/files/text.js'
import { InputError, UsageError } from '../error.js'
import { makeFolder, writeFileAtomic } from '../files.js'
import type { BenchmarkModel } from './models.js'
import type { BenchmarkSet, PlannedRun } from './plan.js'

export const PLAN_FILE = 'plan.json'

/** Options of all runs by the names of the command line; what was not given is absent. */
export type Pinned = Readonly<Record<string, string | number | boolean>>

const model = z.object({ name: z.string(), dir: z.string(), digest: z.string() })
const set = z.object({
  name: z.string(),
  folder: z.string(),
  form: z.string(),
  train: z.number(),
  dev: z.number(),
  test: z.number(),
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
 * Throws a UsageError that says what differs from an earlier evaluation in OUT; else keeps the plan there, with what that
 * one had besides. Returns the plan as kept.
 */
export function pinPlan(out: string, pinning: Pinning): PlanFile {
  const plan = mergePlans(readPlan(out), pinning, out)
  makeFolder(out)
  writeFileAtomic(join(out, PLAN_FILE), `${JSON.stringify(plan, null, 2)}\n`)
  return plan
}

/** As `pinPlan`, for a look: nothing is written. */
export function checkPlan(out: string, pinning: Pinning): PlanFile {
  return mergePlans(readPlan(out), pinning, out)
}

function readPlan(out: string): PlanFile | undefined {
  const file = join(out, PLAN_FILE)
  if (!existsSync(file)) return undefined
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
    models: models.map(({ name, dir, digest }) => ({ name, dir: placeOf(dir), digest })),
    sets: sets.map(({ name, folder, form, train, dev, test }) => ({
      ...{ name, folder: resolve(folder), form, train, dev, test },
    })),
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
    ? [`the weights of model ${now.name} in ${now.dir} have changed`]
    : [`model ${now.name} was ${same.dir}, now ${now.dir}`]
}

function setDifferences(before: PlanFile['sets'], now: PlanFile['sets'][number]): string[] {
  const same = before.find(({ name }) => name === now.name)
  if (same === undefined) return []
  const counts = (one: PlanFile['sets'][number]) => `${one.train} / ${one.dev} / ${one.test}`
  if (counts(same) !== counts(now)) return [`${now.name} had ${counts(same)} items, now ${counts(now)}`]
  return same.form === now.form ? [] : [`${now.name} was read as ${same.form}, now as ${now.form}`]
}
