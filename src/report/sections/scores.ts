/**
 * Scores of a benchmark: one table over all sets, averages over tasks, then for each set our models with their intervals
 * beside what others published, entity-level and paper-style scores apart since they measure different things.
 */
import { type Html, html, name, shorten } from '../html.js'
import type { Benchmark, BenchmarkScore, BenchmarkSet, PublishedScore } from '../model.js'
import { count, interval, MISSING, percent, scoreText } from '../numbers.js'
import { type Scale, scaleOf, strip } from '../strip.js'
import { table } from '../table.js'
import { metricName } from './runs.js'
import type { Section } from './section.js'

const KINDS: Readonly<Record<PublishedScore['kind'], string>> = {
  'entity-level': 'Published, entity-level',
  'paper-style': 'Published, paper-style: not to be compared with entity-level scores',
  other: 'Published',
}

export function scoresSection(benchmark: Benchmark, index: number, finishedRuns: number): Section {
  const { sets, models, runs, left, failures } = benchmark
  const body = html`<p class="lead">${count(models.length)} ${plural(models.length, 'model')} on ${count(sets.length)} data ${plural(sets.length, 'set')}; ${count(runs.length)} runs${finishedRuns !== runs.length && html`, of which ${count(finishedRuns)} are in the folder`}. Scores are percent, mean over seeds; intervals are 95 % bootstrap intervals over the units of the test set.</p>
${left > 0 && html`<p><span class="warn">Not finished:</span> ${count(left)} ${plural(left, 'run')} that ${left === 1 ? 'was' : 'were'} planned ${left === 1 ? 'has' : 'have'} not ended.</p>\n`}${failuresTable(failures)}${modelsTable(benchmark)}${summaryTable(benchmark)}${averagesTable(benchmark)}${sets.map((set) => setBlock(benchmark, set))}`
  return { id: `scores-${index}`, title: `Scores: ${shorten(benchmark.name, 80)}`, body }
}

function plural(n: number, word: string): string {
  return n === 1 ? word : `${word}s`
}

function failuresTable(failures: Benchmark['failures']): Html | undefined {
  if (failures.length === 0) return undefined
  return table({
    caption: 'Runs that ended with an error',
    columns: [{ title: 'run' }, { title: 'error' }],
    groups: [
      {
        rows: failures.map(({ set, model, seed, fold, error }) => [
          html`${name(set)}, ${name(model)}, seed ${seed}${fold !== undefined && `, fold ${fold}`}`,
          name(error),
        ]),
      },
    ],
  })
}

function modelsTable({ models }: Benchmark): Html {
  return table({
    caption: 'Models',
    columns: [{ title: 'model' }, { title: 'parameters', numeric: true }, { title: 'folder' }],
    groups: [
      {
        rows: models.map((model) => [
          name(model.name),
          model.parameters === null ? MISSING : count(model.parameters),
          html`<code>${shorten(model.dir, 160)}</code>`,
        ]),
      },
    ],
  })
}

function scoreOf({ scores }: Benchmark, set: BenchmarkSet, model: string): BenchmarkScore | undefined {
  return scores.find(
    (score) => score.set === set.name && score.model === model && score.metric === set.metric,
  )
}

function summaryTable(benchmark: Benchmark): Html {
  const { sets, models, published } = benchmark
  const kinds = (['entity-level', 'other', 'paper-style'] as const).filter((kind) =>
    published.some((score) => score.kind === kind),
  )
  const columns = [
    { title: 'data set' },
    { title: 'metric' },
    ...models.map((model) => ({ title: name(model.name), numeric: true })),
    ...kinds.map((kind) => ({
      title: `best published${kind === 'other' ? '' : `, ${kind}`}`,
      numeric: true,
    })),
  ]
  const rows = (task: string) =>
    sets
      .filter((set) => set.task === task)
      .map((set) => {
        const best = Math.max(
          ...models.map((model) => scoreOf(benchmark, set, model.name)?.mean ?? -Infinity),
        )
        return [
          html`${name(set.name)}${set.note !== undefined && html`<span class="sub">few ${set.unit}</span>`}`,
          metricName(set.metric),
          ...models.map((model) => meanCell(scoreOf(benchmark, set, model.name), best)),
          ...kinds.map((kind) => bestPublished(benchmark, set, kind)),
        ]
      })
  return table({
    caption:
      'Scores on all data sets: mean and standard deviation over seeds, 95 % interval; the highest mean is bold',
    columns,
    groups: tasksOf(sets).map((task) => ({ title: name(task), rows: rows(task) })),
  })
}

function tasksOf(sets: readonly BenchmarkSet[]): string[] {
  return [...new Set(sets.map(({ task }) => task))]
}

function meanCell(score: BenchmarkScore | undefined, best: number): Html {
  if (score === undefined || score.mean === null) return html`${MISSING}`
  const text = html`${percent(score.mean)}${score.sd !== null && html` ± ${percent(score.sd)}`}`
  return html`${score.mean === best ? html`<span class="best">${text}</span>` : text}${
    score.interval !== null && html`<span class="sub">${interval(score.interval)}</span>`
  }`
}

function bestPublished({ published }: Benchmark, set: BenchmarkSet, kind: PublishedScore['kind']): Html {
  const [best] = published
    .filter((score) => score.set === set.name && score.kind === kind && score.metric === set.metric)
    .sort((a, b) => b.value - a.value)
  return best === undefined
    ? html`${MISSING}`
    : html`${percent(best.value)}<span class="sub">${name(best.model)}</span>`
}

function averagesTable({ averages, sets }: Benchmark): Html | undefined {
  if (averages.length === 0) return undefined
  const tasks = tasksOf(sets).filter((task) => averages.some((average) => task in average.tasks))
  const notes = [...new Set(averages.map(({ blurbNote }) => blurbNote).filter((note) => note !== ''))]
  return table({
    caption: 'Averages over the data sets of each task, and the BLURB score',
    columns: [
      { title: 'model' },
      ...tasks.map((task) => ({ title: name(task), numeric: true })),
      { title: 'BLURB', numeric: true },
    ],
    groups: [
      {
        rows: averages.map(({ model, tasks: means, blurb }) => [
          name(model),
          ...tasks.map((task) => percent(means[task])),
          percent(blurb),
        ]),
      },
    ],
    note: notes.length > 0 && `BLURB: ${notes.join(' ')}`,
  })
}

function setBlock(benchmark: Benchmark, set: BenchmarkSet): Html {
  const ours = benchmark.models.flatMap(({ name: model }) => {
    const score = scoreOf(benchmark, set, model)
    return score === undefined ? [] : [score]
  })
  const published = benchmark.published
    .filter((score) => score.set === set.name)
    .sort((a, b) => b.value - a.value)
  const isAlike = ({ kind, metric }: PublishedScore) => kind !== 'paper-style' && metric === set.metric
  const alike = published.filter(isAlike)
  const scale = scaleOf([
    ...ours.flatMap((score) => [...(score.interval ?? []), ...numbers(score.values)]),
    ...alike.map(({ value }) => value),
  ])
  const groups = [
    { title: 'This benchmark', rows: ours.map((score) => ourRow(score, scale)) },
    ...(['other', 'entity-level', 'paper-style'] as const).map((kind) => ({
      title: KINDS[kind],
      rows: published
        .filter((score) => score.kind === kind)
        .map((score) => publishedRow(score, set, isAlike(score) ? scale : undefined)),
    })),
  ]
  const { unit, train, dev, test, note, task, metric, folds } = set
  return html`<h3>${name(set.name)}</h3>
<p class="note">${name(task)}; ${count(train)} ${unit} to train on, ${count(dev)} dev, ${count(test)} test${folds !== undefined && `; ${folds} folds, these are of the first`}</p>
${note !== undefined && html`<p class="note"><span class="warn">Small:</span> ${note}</p>\n`}${table({
  caption: `${metricName(metric)} on ${shorten(set.name, 80)}`,
  columns: [
    { title: 'model' },
    { title: metricName(metric), numeric: true },
    { title: 'sd', numeric: true },
    { title: '95 % interval', numeric: true },
    {
      title: scale && html`<span class="quiet">${percent(scale.low, 1)} to ${percent(scale.high, 1)}</span>`,
    },
    { title: 'each seed, or source' },
  ],
  groups,
})}${othersTable(ours)}`
}

function ourRow(score: BenchmarkScore, scale: Scale | undefined) {
  const { model, mean, sd, interval: bounds, values } = score
  return [
    name(model),
    percent(mean),
    sd === null ? MISSING : percent(sd),
    bounds === null ? MISSING : interval(bounds),
    scale && mean !== null && strip(scale, { value: mean, interval: bounds, dots: numbers(values) }),
    html`<span class="wide">${values.map((value) => percent(value)).join(', ')}</span>`,
  ]
}

function publishedRow(
  { model, value, source, metric }: PublishedScore,
  set: BenchmarkSet,
  scale: Scale | undefined,
) {
  return [
    name(model),
    html`${percent(value)}${metric !== set.metric && html`<span class="sub">${metricName(metric)}</span>`}`,
    MISSING,
    MISSING,
    scale && strip(scale, { value, interval: null, dots: [], hollow: true }),
    html`<span class="wide">${name(source)}</span>`,
  ]
}

function numbers(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null)
}

function othersTable(scores: readonly BenchmarkScore[]): Html | undefined {
  const keys = [...new Set(scores.flatMap(({ others }) => Object.keys(others)))]
  if (keys.length === 0) return undefined
  return table({
    caption: 'Other scores, means over seeds; shares and correlations in percent',
    columns: [{ title: 'score' }, ...scores.map(({ model }) => ({ title: name(model), numeric: true }))],
    groups: [
      {
        rows: keys.map((key) => [
          metricName(key),
          ...scores.map(({ others }) => scoreText(key, others[key])),
        ]),
      },
    ],
  })
}
