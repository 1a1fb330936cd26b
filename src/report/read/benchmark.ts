/** Reads benchmark.json, the result of a benchmark, and checks it. Scores are fractions. */
import { join } from 'node:path'
import { z } from 'zod'
import { BENCHMARK_FILE } from '../../evaluation/record.js'
import type { Benchmark, BenchmarkPlace } from '../model.js'
import { readJson } from './json.js'

const maybe = z.number().nullable()
const interval = z.tuple([z.number(), z.number()]).nullable()
const kinds = ['entity-level', 'paper-style', 'other'] as const

const place = z.object({ set: z.string(), model: z.string(), seed: z.number(), fold: z.number().optional() })
const schema = z.object({
  format: z.literal('bioalbert benchmark'),
  version: z.literal(1),
  bioalbert: z.string(),
  command: z.array(z.string()),
  models: z.array(
    z.object({
      name: z.string(),
      dir: z.string(),
      parameters: maybe.default(null),
      step: z.number().optional(),
    }),
  ),
  sets: z.array(
    z.object({
      name: z.string(),
      task: z.string(),
      metric: z.string(),
      unit: z.string(),
      train: z.number(),
      dev: z.number(),
      test: z.number(),
      folds: z.number().optional(),
      note: z.string().optional(),
    }),
  ),
  runs: z.array(place.extend({ dir: z.string().optional() })),
  failures: z.array(place.extend({ error: z.string() })).default([]),
  left: z.number().default(0),
  scores: z.array(
    z.object({
      set: z.string(),
      model: z.string(),
      metric: z.string(),
      values: z.array(maybe),
      mean: maybe,
      sd: maybe,
      interval,
      others: z.record(z.string(), maybe).default({}),
    }),
  ),
  differences: z.array(
    z.object({ set: z.string(), metric: z.string(), a: z.string(), b: z.string(), mean: maybe, interval }),
  ),
  averages: z.array(
    z.object({
      model: z.string(),
      tasks: z.record(z.string(), maybe),
      blurb: maybe,
      blurb_note: z.string().default(''),
    }),
  ),
  published: z.array(
    z.object({
      set: z.string(),
      model: z.string(),
      metric: z.string(),
      value: z.number(),
      kind: z.enum(kinds),
      source: z.string(),
    }),
  ),
})

export function readBenchmark(dir: string, name: string): Benchmark {
  const read = readJson(join(dir, BENCHMARK_FILE), schema, 'the result of a benchmark, version 1')
  const { bioalbert, averages, ...rest } = read
  return {
    ...rest,
    name,
    dir,
    version: bioalbert,
    averages: averages.map(({ blurb_note, ...more }) => ({ ...more, blurbNote: blurb_note })),
  }
}

/** Which run of a benchmark lies in a folder, by the parts of its path inside the benchmark's. */
export function placeOf(parts: readonly string[], benchmark?: Benchmark): BenchmarkPlace | undefined {
  const known = benchmark?.runs.find(({ dir }) => dir?.split(/[\\/]/).join('/') === parts.join('/'))
  if (known !== undefined) {
    const { set, model, seed, fold } = known
    return { set, model, seed, ...(fold !== undefined && { fold }) }
  }
  const [runs, folder, model, last] = parts
  const found = /^seed-(\d+)(?:-fold-(\d+))?$/.exec(last ?? '')
  if (parts.length !== 4 || runs !== 'runs' || !found) return undefined
  // a set's name may have characters that its folder's has not
  const set = benchmark?.sets.find(({ name }) => name.replace(/[^\w.+-]+/g, '-') === folder)?.name ?? folder
  return { set, model, seed: Number(found[1]), ...(found[2] && { fold: Number(found[2]) }) }
}
