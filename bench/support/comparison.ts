/**
 * What a comparison of whole fine-tuning runs says of a data set: scores of both sides by seed, mean and standard deviation, how
 * many standard deviations lie between them, and the speed of both. A file of bench/results each, finetune_SET.LABEL.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Agreement } from './finetune_losses.js'
import type { PeerResult, SideResult } from './finetune_peer.js'
import type { ComparedSet } from './finetune_sets.js'

export interface SeedRuns {
  readonly seed: number
  /** Other work ran beside it: its times say nothing. */
  readonly untimed?: true
  readonly ours: SideResult
  readonly pytorch: PeerResult
}

export interface Spread {
  readonly mean: number
  /** Of a sample, over seeds; null of a single one. */
  readonly sd: number | null
}

export interface Comparison {
  readonly command: string
  readonly facts: Readonly<Record<string, string | number>>
  /** ISO 8601. */
  readonly date: string
  readonly set: string
  readonly task: string
  /** The score that is compared, a key of what the task gives. */
  readonly metric: string
  readonly settings: Readonly<Record<string, unknown>>
  /** How near the losses of both are without dropout; older files lack it. */
  readonly agreement?: Agreement
  readonly runs: readonly SeedRuns[]
  readonly ours: Spread
  readonly pytorch: Spread
  /** Ours less PyTorch's: of the means, and that by the standard deviation of both; null where there is none. */
  readonly difference: number
  readonly difference_in_sd: number | null
  /** Pieces a second of training, means over seeds that are timed, and ours by PyTorch's; null where none is. */
  readonly speed: { readonly ours: number; readonly pytorch: number; readonly ratio: number } | null
  readonly seconds: { readonly ours: number; readonly pytorch: number } | null
}

export type Compared = Pick<
  Comparison,
  'runs' | 'ours' | 'pytorch' | 'difference' | 'difference_in_sd' | 'speed' | 'seconds'
>

/** Throws an Error where a score is no number, such as a correlation with a constant. */
export function compareRuns(metric: string, runs: readonly SeedRuns[]): Compared {
  const scores = (side: 'ours' | 'pytorch') =>
    runs.map((run) => scoreOf(run[side].test[metric], metric, run.seed))
  const [ours, pytorch] = [spread(scores('ours')), spread(scores('pytorch'))]
  const timed = runs.filter((run) => !run.untimed)
  const average = (pick: (run: SeedRuns) => number) => spread(timed.map(pick)).mean
  const difference = ours.mean - pytorch.mean
  const both = ours.sd === null || pytorch.sd === null ? 0 : Math.sqrt((ours.sd ** 2 + pytorch.sd ** 2) / 2)
  const speed = {
    ours: average((run) => run.ours.tokens_per_second),
    pytorch: average((run) => run.pytorch.tokens_per_second),
  }
  return {
    runs,
    ours,
    pytorch,
    difference,
    difference_in_sd: both > 0 ? difference / both : null,
    speed: timed.length > 0 ? { ...speed, ratio: speed.ours / speed.pytorch } : null,
    seconds:
      timed.length > 0
        ? { ours: average((run) => run.ours.seconds), pytorch: average((run) => run.pytorch.seconds) }
        : null,
  }
}

function scoreOf(score: unknown, metric: string, seed: number): number {
  if (typeof score !== 'number')
    throw new Error(`seed ${seed}: ${metric} of test is ${score} (want a number)`)
  return score
}

function spread(values: readonly number[]): Spread {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  if (values.length < 2) return { mean, sd: null }
  return { mean, sd: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)) }
}

export const COMPARISON_HEAD = [
  'set',
  'trained',
  'scored',
  'precision',
  'losses apart',
  'score of test',
  'seeds',
  'ours',
  'PyTorch',
  'difference',
  'in sd',
  'timed',
  'ours, pieces/s',
  'PyTorch, pieces/s',
  'times as fast',
  'padding',
  'a run of ours',
  "of PyTorch's",
]

/** A row for each; scores in percent. */
export function comparisonRows(all: readonly Comparison[]): string[][] {
  return all.map((one) => [
    one.set,
    one.settings.totalSteps
      ? `${one.settings.totalSteps} steps`
      : `${one.settings.epochs} epoch${one.settings.epochs === 1 ? '' : 's'}`,
    one.settings.scored ? `at most ${one.settings.scored}` : 'all',
    `${one.settings.precision ?? 'f32'}`,
    one.agreement ? one.agreement.loss.toExponential(1) : '',
    one.metric,
    `${one.runs.length}`,
    spreadText(one.ours),
    spreadText(one.pytorch),
    signed(100 * one.difference, 2),
    one.difference_in_sd === null ? '' : signed(one.difference_in_sd, 1),
    `${one.runs.filter((run) => !run.untimed).length}`,
    one.speed?.ours.toFixed(0) ?? '',
    one.speed?.pytorch.toFixed(0) ?? '',
    one.speed?.ratio.toFixed(2) ?? '',
    `${((100 * one.runs.reduce((sum, { pytorch }) => sum + pytorch.padding, 0)) / one.runs.length).toFixed(0)}%`,
    one.seconds ? `${one.seconds.ours.toFixed(0)} s` : '',
    one.seconds ? `${one.seconds.pytorch.toFixed(0)} s` : '',
  ])
}

function spreadText({ mean, sd }: Spread): string {
  return `${(100 * mean).toFixed(2)}${sd === null ? '' : ` ± ${(100 * sd).toFixed(2)}`}`
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(digits)}`
}

/** The name of a set's file. */
export function comparisonFile({ name }: Pick<ComparedSet, 'name'>, label: string | undefined): string {
  return `finetune_${name.toLowerCase().replaceAll('-', '_')}${label === undefined ? '' : `.${label}`}.json`
}

/** Those of a folder, in the order of their names. */
export function readComparisons(folder: string): Comparison[] {
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  return names
    .filter((name) => /^finetune_.*\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Comparison)
}
