/**
 * What a bench run leaves behind: the machine (processor, ISA, threads, commit), its measured peaks, and every
 * timing, in one JSON file under bench/results/.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Peaks } from '../../src/device/peak.js'
import type { Cost } from './bench.js'

/** Statistics of one bench; times in seconds. */
export interface Timing {
  mean: number
  /** Relative margin of error at 95%, in percent of the mean. */
  rme: number
  deviation: number
  samples: number
}

export interface Entry extends Cost {
  name: string
  mean: number
  rme: number
  samples: number
  gflops?: number
  gigabytes_per_second?: number
  /** What else the bench wants to keep: the peer's time, a ratio. */
  more?: Record<string, unknown>
}

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The machine's measured ceilings, 10^9 a second; undefined until measured. */
export const peaks: Partial<Peaks> = {}

/** Facts of this run; benches add those of their device with `Object.assign(facts, device.info.facts)`. */
export const facts: Record<string, string | number> = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memory_gib: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  commit: commit(),
}

const entries: Entry[] = []

/** Keeps a timing for the results file. */
export function record(name: string, cost: Cost, timing: Timing, more?: Record<string, unknown>): void {
  const { mean, rme, samples } = timing
  const entry: Entry = { name, ...cost, mean, rme, samples }
  if (cost.flops !== undefined) entry.gflops = cost.flops / mean / 1e9
  if (cost.bytes !== undefined) entry.gigabytes_per_second = cost.bytes / mean / 1e9
  if (more !== undefined) entry.more = more
  entries.push(entry)
}

/** Writes bench/results/NAME.json and returns its path; undefined when there is nothing to write. */
export function writeResults(name: string): string | undefined {
  if (entries.length === 0) return undefined
  const folder = join(root, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}.json`)
  const results = { facts, peaks, date: new Date().toISOString(), entries }
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`)
  return path
}

/** Forgets the entries, so that a next bench file starts afresh. */
export function clear(): void {
  entries.length = 0
}

function commit(): string {
  const git = (...argv: string[]) =>
    spawnSync('git', argv, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
  const id = git('rev-parse', '--short', 'HEAD')
  if (id === '') return 'unknown'
  return git('status', '--porcelain', '--untracked-files=no') === '' ? id : `${id}, changed`
}
