/**
 * From runs to scores: of each model on each set the mean and the sample standard deviation over seeds, an interval by the
 * bootstrap over the units of the test part, the difference of two models paired by unit, means by task, BLURB's score.
 *
 *   value of a seed = mean over folds of the metric;  mean = (1/n) sum values;  sd = sqrt(sum (value - mean)^2 / (n - 1))
 *
 * The deviation tells how a score moves with the seed, the interval how it would with another test part of that size.
 */
import { bootstrapDifference, bootstrapInterval, type Rate } from '../tasks/metrics/bootstrap.js'
import type { Scores, Tally } from '../tasks/task.js'
import { blurbScore, mean } from './blurb.js'
import { commonBlocks, poolRuns, shareUnits } from './pool.js'
import type {
  AverageRecord,
  DifferenceRecord,
  ModelRecord,
  RunRecord,
  ScoreRecord,
  SetRecord,
} from './record.js'

/** A run with the units of its test part. */
export interface ScoredRun extends RunRecord {
  readonly units: readonly Tally[]
}

export interface SummarySet extends SetRecord {
  /** Each seed has a test part of its own. */
  readonly heldOut?: boolean
  /** The same examples as another set's: no part of averages. */
  readonly variantOf?: string
}

export interface Summary {
  readonly scores: readonly ScoreRecord[]
  readonly differences: readonly DifferenceRecord[]
  readonly averages: readonly AverageRecord[]
}

export interface SummaryOptions {
  /** What a sum of tallies comes to, by task. */
  readonly rateOf: (task: string) => Rate
  /** Of the resamples. */
  readonly seed: number
  readonly samples?: number
}

/** With more models than this, each is compared with the first alone. */
const ALL_PAIRS = 6

/** Summarises again and again as runs end; sets without a new run are not computed twice. */
export class Summariser {
  private readonly known = new Map<
    string,
    { runs: string; scores: ScoreRecord[]; differences: DifferenceRecord[] }
  >()

  constructor(private readonly options: SummaryOptions) {}

  summarise(
    models: readonly ModelRecord[],
    sets: readonly SummarySet[],
    runs: readonly ScoredRun[],
  ): Summary {
    const parts = sets.map((set) => {
      const own = runs.filter((run) => run.set === set.name)
      const key = own.map(({ dir }) => dir).join()
      const before = this.known.get(set.name)
      if (before?.runs === key) return before
      const part = { runs: key, ...summariseSet(set, models, own, this.options) }
      this.known.set(set.name, part)
      return part
    })
    const scores = parts.flatMap((part) => part.scores)
    const differences = parts.flatMap((part) => part.differences)
    return { scores, differences, averages: models.map(({ name }) => averageOf(name, sets, scores)) }
  }
}

function summariseSet(
  set: SummarySet,
  models: readonly ModelRecord[],
  runs: readonly ScoredRun[],
  options: SummaryOptions,
): { scores: ScoreRecord[]; differences: DifferenceRecord[] } {
  const byModel = models
    .map(({ name }) => ({ name, runs: completeRuns(runs.filter(({ model }) => model === name)) }))
    .filter((model) => model.runs.length > 0)
  const heldOut = set.heldOut === true || !shareUnits(byModel.flatMap((model) => model.runs))
  const bootstrap = { seed: options.seed, samples: options.samples }
  const rate = options.rateOf(set.task)
  const scored = byModel.map(({ name, runs }) => ({ name, runs: runs.filter((run) => exists(set, run)) }))

  const scores = byModel.map(({ name, runs }, i): ScoreRecord => {
    const seeds = [...new Set(runs.map(({ seed }) => seed))].sort((a, b) => a - b)
    const values = seeds.map((seed) =>
      seedValue(
        set,
        runs.filter((run) => run.seed === seed),
      ),
    )
    const there = values.filter((value) => value !== null)
    const blocks = commonBlocks([scored[i].runs], heldOut)
    const rows = poolRuns(scored[i].runs, blocks, heldOut)
    const folds = [...new Set(runs.flatMap(({ fold }) => fold ?? []))].sort((a, b) => a - b)
    return {
      ...{ set: set.name, model: name, metric: set.metric, values, seeds },
      ...(folds.length > 0 && { folds }),
      mean: there.length === 0 ? null : mean(there),
      sd: deviation(there),
      interval: rows.length === 0 ? null : bootstrapInterval(rows, rate, bootstrap).interval,
      units: [...blocks.values()].reduce((a, b) => a + b, 0),
      others: meanScores(runs.map(({ test }) => test)),
    }
  })
  const differences = pairsOf(scored).flatMap(([a, b]): DifferenceRecord[] => {
    const blocks = commonBlocks([a.runs, b.runs], heldOut)
    if (blocks.size === 0) return []
    const [rowsA, rowsB] = [a, b].map((one) => poolRuns(one.runs, blocks, heldOut))
    const { score, interval } = bootstrapDifference(rowsA, rowsB, rate, bootstrap)
    return [{ set: set.name, metric: set.metric, a: a.name, b: b.name, mean: score, interval }]
  })
  return { scores, differences }
}

/** The runs of seeds that have as many folds as any: a seed in the midst of its folds is no fair mean. */
function completeRuns(runs: readonly ScoredRun[]): ScoredRun[] {
  const folds = new Map<number, number>()
  for (const { seed } of runs) folds.set(seed, (folds.get(seed) ?? 0) + 1)
  const most = Math.max(0, ...folds.values())
  return runs.filter(({ seed }) => folds.get(seed) === most)
}

function exists({ metric }: SetRecord, { test }: RunRecord): boolean {
  return typeof test[metric] === 'number'
}

/** Mean over folds; null where the metric does not exist for one. */
function seedValue({ metric }: SetRecord, runs: readonly RunRecord[]): number | null {
  const values = runs.map(({ test }) => test[metric]).filter((value) => typeof value === 'number')
  return values.length < runs.length ? null : mean(values)
}

/** Sample standard deviation. */
export function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}

/** Every number of the scores, by its path; of those that all have. */
function meanScores(all: readonly Scores[]): Record<string, number> {
  const [first, ...others] = all.map((scores) => new Map(numbersOf(scores)))
  const shared = [...first.keys()].filter((name) => others.every((other) => other.has(name)))
  const values = (name: string) => [first, ...others].map((one) => one.get(name) ?? Number.NaN)
  return Object.fromEntries(shared.map((name) => [name, mean(values(name))]))
}

function numbersOf(scores: Scores, path = ''): [string, number][] {
  return Object.entries(scores).flatMap(([name, value]): [string, number][] => {
    if (typeof value === 'number') return [[path + name, value]]
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
    return numbersOf(value as Scores, `${path}${name}.`)
  })
}

/** The later one first: what is compared is named after what it is compared with. */
function pairsOf<T>(models: readonly T[]): [T, T][] {
  return models.flatMap((a, i) =>
    models.slice(0, models.length <= ALL_PAIRS ? i : Math.min(i, 1)).map((b): [T, T] => [a, b]),
  )
}

function averageOf(
  model: string,
  sets: readonly SummarySet[],
  scores: readonly ScoreRecord[],
): AverageRecord {
  const means = new Map(
    scores.flatMap((score) =>
      score.model === model && score.mean !== null ? [[score.set, score.mean]] : [],
    ),
  )
  const counted = sets.filter(({ name, variantOf }) => variantOf === undefined && means.has(name))
  const ownOf = (task: string) => counted.filter((set) => set.task === task).map(({ name }) => name)
  const own = new Map(counted.map(({ task }) => [task, ownOf(task)]))
  const { score, types, note } = blurbScore(means)
  return {
    model,
    tasks: Object.fromEntries(
      [...own].map(([task, names]) => [task, mean(names.map((name) => means.get(name) ?? Number.NaN))]),
    ),
    sets: Object.fromEntries(own),
    blurb: score,
    blurb_types: types,
    blurb_note: note,
  }
}
