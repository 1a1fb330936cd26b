/** Runs at a glance, and the scores of those that are part of no benchmark, side by side for each task. */
import { type Html, html, name, shorten } from '../html.js'
import type { Run } from '../model.js'
import { count, duration, MISSING, percent, scoreText } from '../numbers.js'
import { table } from '../table.js'
import type { Section } from './section.js'

/** All runs but the finished ones of a benchmark, which its own section counts. */
export function runsSection(runs: readonly Run[]): Section | undefined {
  const shown = runs.filter((run) => run.place === undefined || run.finished !== true)
  if (shown.length === 0) return undefined
  const overview = table({
    caption: 'Runs, with the score that the best step was chosen by, in percent',
    columns: [
      { title: 'run' },
      { title: 'what' },
      { title: 'state' },
      { title: 'steps', numeric: true },
      { title: 'dev', numeric: true },
      { title: 'test', numeric: true },
      { title: 'time', numeric: true },
      { title: 'tokens/s', numeric: true },
    ],
    groups: [{ rows: shown.map(overviewRow) }],
  })
  const tasks = [...new Set(shown.filter(({ test }) => test).map(({ task }) => task ?? ''))]
  const scores = tasks.map((task) =>
    scoreTable(
      task,
      shown.filter((run) => run.test && (run.task ?? '') === task),
    ),
  )
  return { id: 'runs', title: 'Runs', body: html`${overview}${scores}` }
}

function overviewRow(run: Run): readonly (Html | string)[] {
  const { metric } = run
  const score = (scores: Run['test']) =>
    scores && metric !== undefined ? percentOf(scores[metric]) : MISSING
  const what = run.kind === 'pretraining' ? html`pretraining` : name(run.task ?? 'fine-tuning')
  return [
    name(run.name),
    html`${what}${metric !== undefined && html`<span class="sub">${metricName(metric)}</span>`}`,
    stateOf(run),
    run.totalSteps === undefined || run.totalSteps === run.step
      ? count(run.step)
      : `${count(run.step)} of ${count(run.totalSteps)}`,
    score(run.dev),
    score(run.test),
    duration(run.seconds),
    run.tokensPerSecond === undefined ? MISSING : count(run.tokensPerSecond),
  ]
}

function stateOf({ finished, collapsed, bestStep, step }: Run): Html {
  if (collapsed !== undefined)
    return html`<span class="warn">collapsed</span><span class="sub">${name(collapsed)}</span>`
  if (finished === true)
    return html`finished${bestStep !== undefined && html`<span class="sub">best at step ${count(bestStep)}</span>`}`
  if (finished === undefined) return html`not known`
  return html`<span class="warn">not finished</span>${step === 0 && html`<span class="sub">stopped before its first step</span>`}`
}

function percentOf(value: unknown): string {
  return typeof value === 'number' ? percent(value) : MISSING
}

/** `paper_style` is `paper style`. */
export function metricName(key: string): string {
  const known: Record<string, string> = {
    f1: 'F1',
    mrr: 'MRR',
    sop: 'SOP',
    mlm: 'MLM',
    iob2: 'IOB2',
    pearson: 'Pearson',
    spearman: 'Spearman',
  }
  const words = key
    .split(/[_.]/)
    .map((word) => known[word] ?? word)
    .join(' ')
  return shorten(words, 80)
}

function scoreTable(task: string, runs: readonly Run[]): Html {
  const columns = runs.map(({ test = {} }) => new Map(flatten(test)))
  const keys = [...new Set(columns.flatMap((column) => [...column.keys()]))]
  return html`<h3>${name(task === '' ? 'no task named' : task)}</h3>
${table({
  caption: 'Scores on the test set, in percent where they are shares or correlations',
  columns: [{ title: 'score' }, ...runs.map((run) => ({ title: name(run.name), numeric: true }))],
  groups: [
    {
      rows: keys.map((key) => [metricName(key), ...columns.map((column) => scoreText(key, column.get(key)))]),
    },
  ],
})}`
}

/** Numbers, and those of objects one level deep; tables by class or type have their own place. */
function flatten(scores: Readonly<Record<string, unknown>>): [key: string, value: number][] {
  return Object.entries(scores).flatMap(([key, value]): [string, number][] => {
    if (typeof value === 'number') return [[key, value]]
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return []
    return Object.entries(value)
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
      .map(([inner, number]) => [`${key}.${inner}`, number])
  })
}
