/**
 * Runs an evaluation: one run after another, each into its own folder of OUT. Runs that have ended are taken as they are, a
 * run that was killed goes on from its checkpoint, a run that fails is noted and the others go on. After every run the summary
 * is written anew. What makes a run is a Runner, so that all this is tested without training.
 */
import { join } from 'node:path'
import { UserError } from '../error.js'
import { lockFolder } from '../files.js'
import { dataSet } from '../tasks/datasets.js'
import type { Rate } from '../tasks/metrics/bootstrap.js'
import type { PlannedRun, RunPlace } from './plan.js'
import { publishedFor } from './published.js'
import {
  type BenchmarkRecord,
  type FailureRecord,
  hasEnded,
  type RunRecord,
  readFinishedRun,
  type SetRecord,
  writeBenchmark,
} from './record.js'
import { type ScoredRun, Summariser } from './summary.js'

/** What a run tells while it goes on. */
export interface RunHooks {
  onStart?(steps: number, step: number): void
  onStep?(step: number, tokensPerSecond: number): void
  /** Whether the person wants to stop. */
  interrupted?(): boolean
}

export interface Runner {
  /** Runs to the end in `out`, which holds scores.json and units.json then. Goes on with what is there already. */
  run(run: PlannedRun, out: string, hooks: RunHooks): Promise<void>
  /** Whether the error is the end of a run that a person stopped. */
  isInterruption(error: unknown): boolean
}

export interface EvaluationHooks extends RunHooks {
  /** Before a run; `done` of `total` have ended. */
  onRun?(run: PlannedRun, done: number, total: number): void
  /** After it. */
  onEnd?(run: PlannedRun, result: RunRecord): void
  onFailure?(failure: FailureRecord): void
}

export interface Evaluation {
  readonly out: string
  /** All that OUT is to hold, those of earlier calls included. */
  readonly runs: readonly RunPlace[]
  /** Those of this call. */
  readonly wanted: readonly PlannedRun[]
  readonly version: string
  readonly command: readonly string[]
  /** What a sum of tallies comes to, by task. */
  readonly rateOf: (task: string) => Rate
  /** Of the bootstrap. */
  readonly seed: number
  readonly samples?: number
}

/** Runs what has not ended yet. Returns the summary, which is benchmark.json of OUT. An interruption is thrown on. */
export async function runEvaluation(
  evaluation: Evaluation,
  runner: Runner,
  hooks: EvaluationHooks = {},
): Promise<BenchmarkRecord> {
  const release = lockFolder(evaluation.out)
  try {
    return await runWanted(evaluation, runner, hooks)
  } finally {
    release()
  }
}

async function runWanted(
  evaluation: Evaluation,
  runner: Runner,
  hooks: EvaluationHooks,
): Promise<BenchmarkRecord> {
  const { out, runs, wanted } = evaluation
  const ended = new Map<string, ScoredRun>()
  for (const run of runs) if (hasEnded(join(out, run.dir))) ended.set(run.dir, scoredRun(out, run))
  const failures: FailureRecord[] = []
  const summariser = new Summariser(evaluation)
  const write = () => {
    const record = summarise(evaluation, summariser, ended, failures)
    writeBenchmark(out, record)
    return record
  }
  let record = write()
  for (const run of wanted) {
    if (ended.has(run.dir)) continue
    hooks.onRun?.(run, wanted.filter(({ dir }) => ended.has(dir)).length, wanted.length)
    try {
      await runner.run(run, join(out, run.dir), hooks)
      const scored = scoredRun(out, run)
      ended.set(run.dir, scored)
      hooks.onEnd?.(run, scored)
    } catch (error) {
      if (!(error instanceof UserError) || runner.isInterruption(error)) throw error
      const failure = { ...nameOf(run), dir: run.dir, error: error.message }
      failures.push(failure)
      hooks.onFailure?.(failure)
    }
    record = write()
  }
  return record
}

function nameOf({ set, model, seed, fold }: RunPlace) {
  return { set: set.name, model: model.name, seed, ...(fold !== undefined && { fold }) }
}

/** Digits by which a score and that of its units may differ: sums are taken in another order. */
const TOLERANCE = 1e-6

/** What a run's folder says. Throws an InputError where a file of it is damaged. */
export function scoredRun(out: string, run: RunPlace): ScoredRun {
  const { dev, test, units, metric, seconds, tokens_per_second, best_step, steps, collapsed } =
    readFinishedRun(join(out, run.dir))
  if (metric !== run.set.metric)
    throw new UserError(`${run.dir}: scored by ${metric}, not by ${run.set.metric}`)
  return {
    ...nameOf(run),
    dir: run.dir,
    ...{ dev, test, seconds, tokens_per_second, best_step, steps, units },
    collapsed: collapsed ?? null,
  }
}

/** The intervals are of the score that is printed only where its units come to that score. */
function checkUnits({ units, test, dir }: ScoredRun, metric: string, rate: Rate): void {
  const printed = test[metric]
  if (typeof printed !== 'number' || units.length === 0) return
  const sum = units[0].map((_, c) => units.reduce((total, tally) => total + tally[c], 0))
  const value = rate(sum)
  if (value === null || Math.abs(value - printed) > TOLERANCE)
    throw new Error(`${dir}: ${metric} is ${printed}, that of its units ${value}`)
}

function summarise(
  { runs, rateOf, version, command, wanted }: Evaluation,
  summariser: Summariser,
  ended: ReadonlyMap<string, ScoredRun>,
  failures: readonly FailureRecord[],
): BenchmarkRecord {
  const scored = runs.flatMap(({ dir }) => ended.get(dir) ?? [])
  const sets = distinct(runs.map(({ set }) => set))
  const models = distinct(runs.map(({ model }) => model))
  for (const run of scored) {
    const set = sets.find(({ name }) => name === run.set)
    if (set) checkUnits(run, set.metric, rateOf(set.task))
  }
  const summarySets = sets.map((set) => {
    const { heldOut, variantOf } = dataSet(set.name)
    return { ...plainSet(set), heldOut, variantOf }
  })
  return {
    format: 'bioalbert benchmark',
    version: 1,
    bioalbert: version,
    command,
    models: models.map(({ name, dir, parameters, step }) => ({
      ...{ name, dir, parameters },
      ...(step !== undefined && { step }),
    })),
    sets: sets.map(plainSet),
    runs: scored.map(({ units: _, ...run }) => run),
    ...summariser.summarise(models, summarySets, scored),
    published: publishedFor(sets.map(({ name }) => name)),
    failures,
    left: wanted.filter(({ dir }) => !ended.has(dir)).length,
  }
}

function plainSet({ name, task, metric, unit, train, dev, test, folds, note }: SetRecord): SetRecord {
  return {
    ...{ name, task, metric, unit, train, dev, test },
    ...(folds !== undefined && { folds }),
    ...(note !== undefined && { note }),
  }
}

function distinct<T extends { readonly name: string }>(all: readonly T[]): T[] {
  return all.filter(({ name }, i) => all.findIndex((one) => one.name === name) === i)
}
