/** How what is shown was made: commands, versions, and the settings of each run, those that differ first. */
import { type Html, html, name, shorten } from '../html.js'
import type { Report, Run } from '../model.js'
import { facts, table } from '../table.js'
import type { Section } from './section.js'

/** Of this report. */
export interface Origin {
  readonly command: readonly string[]
  /** Name and version of what made it. */
  readonly versions: readonly (readonly [name: string, version: string])[]
}

/** Runs whose settings are shown beside each other. */
const MOST_RUNS = 6
/** Characters of a setting; digests are longer, and their ends tell them apart. */
const MOST_VALUE = 40

export function originSection({ runs, benchmarks }: Report, { command, versions }: Origin): Section {
  const made = benchmarks.map(
    (benchmark) => html`<h3>${name(benchmark.name)}</h3>
<pre>${commandLine(benchmark.command)}</pre>
${facts([['bioalbert', benchmark.version]])}`,
  )
  const body = html`<h3>This report</h3>
<pre>${commandLine(command)}</pre>
${facts(versions)}${made}${settingsTables(runs)}`
  return { id: 'origin', title: 'How it was made', body }
}

/** As it would be typed. */
export function commandLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}

/** Of a benchmark one run of each data set: its models and seeds share the rest. */
function settingsTables(all: readonly Run[]): Html[] {
  const first = new Map<string, Run>()
  for (const run of all) {
    const { place } = run
    const key = place ? JSON.stringify(place.set) : run.dir
    if (Object.keys(run.settings).length > 0 && !first.has(key)) first.set(key, run)
  }
  const kinds = ['pretraining', 'fine-tuning'] as const
  return kinds.flatMap((kind) => {
    const runs = [...first.values()].filter((run) => run.kind === kind)
    return Array.from({ length: Math.ceil(runs.length / MOST_RUNS) }, (_, i) =>
      settingsTable(kind, runs.slice(i * MOST_RUNS, (i + 1) * MOST_RUNS)),
    )
  })
}

function settingsTable(kind: Run['kind'], runs: readonly Run[]): Html {
  const columns = runs.map(({ settings }) => new Map(flatten(settings)))
  const keys = [...new Set(columns.flatMap((column) => [...column.keys()]))]
  const cells = (key: string) => columns.map((column) => column.get(key) ?? '')
  const isSame = (key: string) => new Set(cells(key)).size === 1
  const rows = (some: readonly string[]) =>
    some.map((key) => [key.replaceAll('_', ' '), ...cells(key).map(name)])
  return table({
    caption: `Settings of ${kind}`,
    columns: [{ title: 'setting' }, ...runs.map((run) => ({ title: name(run.place?.set ?? run.name) }))],
    groups:
      runs.length === 1
        ? [{ rows: rows(keys) }]
        : [
            { title: 'different', rows: rows(keys.filter((key) => !isSame(key))) },
            { title: 'the same', rows: rows(keys.filter(isSame)) },
          ],
  })
}

function flatten(settings: Readonly<Record<string, unknown>>, before = ''): [key: string, value: string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] => {
    const path = `${before}${key}`
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return flatten(value as Record<string, unknown>, `${path}.`)
    return [[path, shorten(Array.isArray(value) ? value.join(', ') : String(value ?? 'none'), MOST_VALUE)]]
  })
}
