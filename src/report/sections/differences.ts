/** Differences between the models of a benchmark, paired by unit, with their intervals and what these allow to say. */
import { type Html, html, name, shorten } from '../html.js'
import type { Benchmark, Difference } from '../model.js'
import { interval, MISSING, points } from '../numbers.js'
import { scaleOf, strip } from '../strip.js'
import { table } from '../table.js'
import { metricName } from './runs.js'
import type { Section } from './section.js'

export function differencesSection(benchmark: Benchmark, index: number): Section | undefined {
  const { differences } = benchmark
  if (differences.length === 0) return undefined
  const pairs = [...new Set(differences.map(({ a, b }) => JSON.stringify([a, b])))]
  const bounds = differences.flatMap((one) => [...(one.interval ?? []), one.mean ?? 0])
  const far = Math.max(...bounds.map(Math.abs), 0.001)
  const scale = scaleOf([-far, far])
  const row = (one: Difference) => [
    name(one.set),
    metricName(one.metric),
    one.mean === null ? MISSING : points(one.mean),
    one.interval === null ? MISSING : interval(one.interval, points),
    scale &&
      one.mean !== null &&
      strip(scale, { value: one.mean, interval: one.interval, dots: [], from: 0 }),
    reading(one),
  ]
  return {
    id: `differences-${index}`,
    title: `Differences: ${shorten(benchmark.name, 80)}`,
    body: table({
      caption: 'Differences in points (the first model less the second), paired by unit of the test set',
      columns: [
        { title: 'data set' },
        { title: 'metric' },
        { title: 'difference', numeric: true },
        { title: '95 % interval', numeric: true },
        { title: html`<span class="quiet">${points(-far)} to ${points(far)}</span>` },
        { title: 'what it says' },
      ],
      groups: pairs.map((pair) => {
        const of = differences.filter(({ a, b }) => JSON.stringify([a, b]) === pair)
        return { title: html`${name(of[0].a)} less ${name(of[0].b)}`, rows: of.map(row) }
      }),
      note: 'One in twenty intervals misses by chance alone; with many data sets, some do.',
    }),
  }
}

/** An interval that holds zero tells no winner. */
function reading({ a, b, interval: bounds }: Difference): Html | string {
  if (bounds === null) return MISSING
  const [low, high] = bounds
  if (low > 0) return html`${name(a)} is better`
  if (high < 0) return html`${name(b)} is better`
  return 'not told apart'
}
