/**
 * An evaluation as tables for people: scores of each model on each set with deviation and interval, differences, means by task, the
 * published scores beside, and what has to be said with them. Numbers are percent, as the papers print them.
 */
import { publishedGain } from './published.js'
import type {
  BenchmarkRecord,
  Interval,
  PublishedRecord,
  RunRecord,
  ScoreRecord,
  SetRecord,
} from './record.js'

export interface Section {
  readonly title: string
  readonly header: string[]
  readonly rows: string[][]
}

/** The tables, in order; without those that would be empty. */
export function sectionsOf(record: BenchmarkRecord): Section[] {
  const all = [
    scoreSection(record),
    differenceSection(record),
    averageSection(record),
    publishedSection(record),
  ]
  return all.filter(({ rows }) => rows.length > 0)
}

/** 0.8831 -> `88.31`. */
export function percent(value: number | null): string {
  return value === null ? '-' : (100 * value).toFixed(2)
}

/** `88.31 ± 0.42 [87.02, 89.50]`. */
function scoreText({ mean, sd, interval }: ScoreRecord): string {
  if (mean === null) return 'none'
  return [percent(mean), ...(sd === null ? [] : [`± ${percent(sd)}`]), intervalText(interval)]
    .join(' ')
    .trimEnd()
}

function intervalText(interval: Interval | null): string {
  return interval === null ? '' : `[${interval.map(percent).join(', ')}]`
}

/** What people call the metric, where the data of one task have several (`measure` among the scores). */
function metricText({ name, metric }: SetRecord, runs: readonly RunRecord[]): string {
  const measure = runs.find(({ set }) => set === name)?.test.measure
  return (typeof measure === 'string' ? measure : metric).replaceAll('_', ' ')
}

function scoreSection({ sets, models, scores, runs }: BenchmarkRecord): Section {
  const rows = sets.map((set) => [
    set.name,
    `${set.task}, ${metricText(set, runs)}`,
    ...models.map((model) => {
      const found = scores.find((score) => score.set === set.name && score.model === model.name)
      return found ? scoreText(found) : ''
    }),
  ])
  const some = rows.filter(([, , ...cells]) => cells.some((cell) => cell !== ''))
  const seeds = new Set(scores.map(({ values }) => values.length))
  const [least, most] = [Math.min(...seeds), Math.max(...seeds)]
  const count = least === most ? `${most} seed${most === 1 ? '' : 's'}` : `${least} to ${most} seeds`
  return {
    title: `test scores, percent: mean over ${count} ± standard deviation [95% interval over the units of the test part]`,
    header: ['data set', 'score', ...models.map(({ name }) => name)],
    rows: some,
  }
}

function differenceSection({ differences }: BenchmarkRecord): Section {
  return {
    title: 'differences, paired by unit',
    header: ['data set', 'models', 'difference', '95% interval', ''],
    rows: differences.map(({ set, a, b, mean, interval }) => [
      set,
      `${a} - ${b}`,
      percent(mean),
      intervalText(interval),
      interval !== null && interval[0] <= 0 && interval[1] >= 0 ? 'holds 0: may be chance' : '',
    ]),
  }
}

function averageSection({ averages, sets }: BenchmarkRecord): Section {
  const tasks = [...new Set(sets.map(({ task }) => task))]
  const scored = averages.filter((average) => Object.keys(average.tasks).length > 0)
  return {
    title: 'means of the sets of a task, and how many sets',
    header: ['model', ...tasks, 'BLURB'],
    rows: scored.map(({ model, tasks: means, sets: own, blurb }) => [
      model,
      ...tasks.map((task) => (task in means ? `${percent(means[task])} (${own[task].length})` : '')),
      percent(blurb),
    ]),
  }
}

/** Of the papers' own scores the best; what they quote of others is in benchmark.json. */
function publishedSection({ published, sets }: BenchmarkRecord): Section {
  const rows = sets.flatMap(({ name }) => {
    const own = published.filter(({ set, source }) => set === name && !source.includes('quoting others'))
    const paper = own.filter(({ kind }) => kind === 'paper-style').sort((a, b) => b.value - a.value)
    return [...own.filter(({ kind }) => kind !== 'paper-style'), ...paper.slice(0, 1)].map(publishedRow)
  })
  return {
    title:
      'published, quoted; paper-style scores are counted otherwise than ours and cannot be compared with them',
    header: ['data set', 'model', 'score', 'kind', 'source'],
    rows,
  }
}

function publishedRow({ set, model, value, kind, source }: PublishedRecord): string[] {
  return [set, model, percent(value), kind, source]
}

/** What has to be said with the scores, a line each. */
export function remarksOf(record: BenchmarkRecord): string[] {
  const { sets, scores, runs, averages, failures, left } = record
  const scored = sets.filter(({ name }) => scores.some(({ set }) => set === name))
  const collapsed = runs.filter((run) => run.collapsed !== null)
  const counts = new Set(averages.map((average) => JSON.stringify(average.sets)))
  return [
    ...scored.flatMap(({ name, note }) => (note === undefined ? [] : [`${name} is small: ${note}`])),
    ...scores.flatMap(({ set, model, values, metric }) => {
      const missing = values.filter((value) => value === null).length
      return missing === 0
        ? []
        : [`${model} on ${set}: ${missing} of ${values.length} seeds have no ${metric}; they are in no mean`]
    }),
    ...(collapsed.length === 0 ? [] : [collapsedText(collapsed, runs.length)]),
    ...(counts.size > 1
      ? ['the means by task are over other sets from model to model: compare the sets themselves']
      : []),
    ...scored.flatMap(({ name }) => {
      const gain = publishedGain(name)
      return gain === undefined
        ? []
        : [`${name}: BioALBERT is said to gain ${gain} points over the best before it (Naseem et al. 2022)`]
    }),
    ...[...new Set(averages.map(({ blurb_note }) => blurb_note))],
    ...failures.map(({ dir, error }) => `${dir} failed: ${error}`),
    ...(left > 0 ? [`${left} runs are left; the same command goes on with them`] : []),
  ]
}

/** Names a few of them. */
function collapsedText(collapsed: readonly RunRecord[], all: number): string {
  const shown = collapsed.slice(0, 5).map((run) => `${run.dir} ${run.collapsed}`)
  const more = collapsed.length > shown.length ? `, and ${collapsed.length - shown.length} more` : ''
  return `training collapsed in ${collapsed.length} of ${all} runs: ${shown.join(', ')}${more}`
}
