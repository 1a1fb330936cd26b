/** Times and speeds as people read them: three digits, thousands with their comma. */
import type { Cost } from './cost.js'

/** What a timed call is a part of, and how many of them make it: `{ what: 'an epoch', count: 169.5 }`. */
export interface Whole {
  readonly what: string
  readonly count: number
}

/** What is done in a second, in the units of a cost, or in operations; the time of the whole where there is one. */
export function speedText({ units = {}, flops, whole }: Cost & { whole?: Whole }, seconds: number): string {
  const speeds = Object.entries(units).map(([unit, n]) => `${digits(n / seconds)} ${unit}/s`)
  if (speeds.length === 0 && flops !== undefined) speeds.push(`${digits(flops / seconds / 1e9)} GFLOP/s`)
  if (whole !== undefined) speeds.push(`${timeText(seconds * whole.count)} ${whole.what}`)
  if (speeds.length === 0) speeds.push(timeText(seconds))
  return speeds.join(', ')
}

function digits(value: number): string {
  const rounded = Number(value.toPrecision(3))
  return rounded >= 1000 ? rounded.toLocaleString('en-US') : `${rounded}`
}

function timeText(seconds: number): string {
  if (seconds >= 7200) return `${digits(seconds / 3600)} h`
  if (seconds >= 120) return `${digits(seconds / 60)} min`
  return seconds >= 1 ? `${digits(seconds)} s` : `${digits(seconds * 1000)} ms`
}
