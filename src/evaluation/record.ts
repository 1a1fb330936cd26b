/**
 * What an evaluation leaves in OUT: runs/SET/MODEL/seed-N[-fold-K]/, each the folder of a fine-tuning run, and benchmark.json,
 * whose form is here. It is written anew after every run, so that a killed evaluation has a summary of what it had done.
 * Fractions are in [0, 1]; what does not exist is null.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readText } from '../data/files/text_node.js'
import { InputError } from '../error.js'
import { writeFileAtomic } from '../files.js'
import type { Scores, Tally } from '../tasks/task.js'
import { SCORES_FILE, UNITS_FILE } from '../training/finetuning/result_node.js'

export const BENCHMARK_FILE = 'benchmark.json'

export type Interval = readonly [low: number, high: number]

export interface ModelRecord {
  readonly name: string
  /** Where its weights are; `random:PRESET` for those drawn from the seed. */
  readonly dir: string
  /** Of the encoder. */
  readonly parameters: number
  /** Steps of pretraining, of a model that is a checkpoint of a run. */
  readonly step?: number
}

export interface SetRecord {
  readonly name: string
  readonly task: string
  readonly metric: string
  readonly unit: string
  /** Items; of fold 1 where there are folds. */
  readonly train: number
  readonly dev: number
  readonly test: number
  readonly folds?: number
  /** How little a score on it tells. */
  readonly note?: string
}

export interface RunRecord {
  readonly set: string
  readonly model: string
  readonly seed: number
  readonly fold?: number
  /** Inside OUT. */
  readonly dir: string
  readonly dev: Scores
  readonly test: Scores
  readonly seconds: number
  readonly tokens_per_second: number
  readonly best_step: number
  readonly steps: number
  readonly collapsed: string | null
}

export interface ScoreRecord {
  readonly set: string
  readonly model: string
  readonly metric: string
  /** One a seed; folds are averaged. null: the metric does not exist for what was predicted. */
  readonly values: readonly (number | null)[]
  readonly seeds: readonly number[]
  readonly folds?: readonly number[]
  /** Of the values that exist. */
  readonly mean: number | null
  /** Sample standard deviation over the seeds; null for fewer than two. */
  readonly sd: number | null
  /** 95%, bootstrap over the test part's units, of the mean over these seeds. */
  readonly interval: Interval | null
  readonly units: number
  /** Means of the other scores; a nested one has its path, as in `paper_style.token_accuracy`. */
  readonly others: Readonly<Record<string, number>>
}

export interface DifferenceRecord {
  readonly set: string
  readonly metric: string
  readonly a: string
  readonly b: string
  /** a - b, paired by unit. */
  readonly mean: number | null
  readonly interval: Interval | null
}

export interface AverageRecord {
  readonly model: string
  /** Mean of the sets' means by task. */
  readonly tasks: Readonly<Record<string, number>>
  /** The sets of each. */
  readonly sets: Readonly<Record<string, readonly string[]>>
  readonly blurb: number | null
  /** Means by BLURB's types of tasks; null for a type of which a set is missing. */
  readonly blurb_types: Readonly<Record<string, number | null>>
  readonly blurb_note: string
}

export interface PublishedRecord {
  readonly set: string
  readonly model: string
  readonly metric: string
  readonly value: number
  readonly kind: 'entity-level' | 'paper-style' | 'other'
  readonly source: string
}

export interface FailureRecord {
  readonly set: string
  readonly model: string
  readonly seed: number
  readonly fold?: number
  readonly dir: string
  readonly error: string
}

export interface BenchmarkRecord {
  readonly format: 'bioalbert benchmark'
  readonly version: 1
  readonly bioalbert: string
  readonly command: readonly string[]
  readonly models: readonly ModelRecord[]
  readonly sets: readonly SetRecord[]
  readonly runs: readonly RunRecord[]
  readonly scores: readonly ScoreRecord[]
  readonly differences: readonly DifferenceRecord[]
  readonly averages: readonly AverageRecord[]
  readonly published: readonly PublishedRecord[]
  /** Runs that ended with an error this time; they are tried again the next. */
  readonly failures: readonly FailureRecord[]
  /** Runs that were planned and have not ended. */
  readonly left: number
}

export function writeBenchmark(out: string, record: BenchmarkRecord): void {
  writeFileAtomic(join(out, BENCHMARK_FILE), `${JSON.stringify(record, null, 2)}\n`)
}

const scoresSchema = z.object({
  metric: z.string(),
  dev: z.record(z.string(), z.unknown()),
  test: z.record(z.string(), z.unknown()),
  seconds: z.number(),
  tokens_per_second: z.number(),
  best_step: z.number(),
  steps: z.number(),
  collapsed: z.string().nullish(),
})
const unitsSchema = z.object({ test: z.array(z.array(z.number())) })

/** A run that has ended: what its folder says. */
export interface FinishedRun extends z.infer<typeof scoresSchema> {
  /** Of its test part, a unit each. */
  readonly units: readonly Tally[]
}

/** Whether the run in that folder has ended; scores.json is the last file of one. */
export function hasEnded(dir: string): boolean {
  return existsSync(join(dir, SCORES_FILE))
}

/** What a run left. Throws an InputError that names the file where it is not the folder of one that has ended. */
export function readFinishedRun(dir: string): FinishedRun {
  const scores = parse(join(dir, SCORES_FILE), scoresSchema, 'scores of a fine-tuning run')
  const { test } = parse(join(dir, UNITS_FILE), unitsSchema, 'tallies of the units of a fine-tuning run')
  return { ...scores, units: test }
}

function parse<T>(file: string, schema: z.ZodType<T>, expected: string): T {
  const text = readText(file, expected)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError({ file, found: (error as Error).message, expected })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]
  throw new InputError({ file, found: `${path.join('.')}: ${message}`, expected })
}
