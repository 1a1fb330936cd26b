/**
 * What a bench run leaves behind: the machine (processor, ISA, threads, commit), its measured peaks, and every
 * timing, in one JSON file under bench/results/.
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Peaks } from '../../src/device/peak.js'
import { isaFromEnvironment, threadsFromEnvironment } from '../../src/environment.js'
import { makeFolder, writeFileAtomic } from '../../src/files.js'
import { onlyCase } from './case.js'
import type { Cost } from './cost.js'
import { benchDevice, isEmulated } from './device.js'
import { type RacedPrecision, racedPrecisions } from './precisions.js'
import type { Whole } from './speed.js'

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

/** One of ours against the best of its peers; seconds are those of a round, as `Standing` has them. */
export interface Race extends Cost {
  name: string
  precision: RacedPrecision
  ours: { name: string; seconds: number }
  /** None: ours alone was timed, and there is no ratio. */
  peer?: { name: string; seconds: number }
  /** Median over rounds of the peer's time over ours, and the range. */
  ratio?: number
  low?: number
  high?: number
  rounds: number
  whole?: Whole
}

/** A measured fact that is no race: a line of the report. */
export interface Figure {
  what: string
  value: string
}

/** A step on a GPU: seconds from one to the next, and from its first kernel to its last; milliseconds of families of kernels. */
export interface StepTimes {
  name: string
  seconds: number
  span: number
  /** JavaScript's share of a step, seconds. */
  javascript: number
  families: { family: string; calls: number; ms: number }[]
}

/** What stands in a file of bench/results. */
export interface Results {
  /** What prints these figures. */
  command: string
  facts: Record<string, string | number>
  peaks: { gflops?: number; gigabytes?: number }
  /** ISO 8601. */
  date: string
  entries: Entry[]
  /** What peers said of themselves when they were ready: versions, threads, instruction set. */
  peers: ({ name: string } & Record<string, unknown>)[]
  races: Race[]
  figures: Figure[]
  /** Where steps on a GPU spend their time. */
  steps?: StepTimes[]
  /** Curves by name, of equally many points: x is the step. */
  curves?: Record<string, number[]>
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
const peers: Results['peers'] = []
const races: Race[] = []
const figures: Figure[] = []
const steps: StepTimes[] = []
let curves: Results['curves']

/** Keeps what a peer says of itself; of peers of one name the last. */
export function recordPeer(name: string, description: Record<string, unknown>): void {
  const at = peers.findIndex((known) => known.name === name)
  peers.splice(at < 0 ? peers.length : at, 1, { ...description, name })
}

export function recordRace(result: Race): void {
  races.push(result)
  writeResults()
}

export function recordFigure(figure: Figure): void {
  figures.push(figure)
  writeResults()
}

export function recordStepTimes(times: StepTimes): void {
  steps.push(times)
  writeResults()
}

export function recordCurves(given: Record<string, number[]>): void {
  curves = given
}

/** Keeps a timing for the results file. */
export function record(name: string, cost: Cost, timing: Timing, more?: Record<string, unknown>): void {
  const { mean, rme, samples } = timing
  const entry: Entry = { name, ...cost, mean, rme, samples }
  if (cost.flops !== undefined) entry.gflops = cost.flops / mean / 1e9
  if (cost.bytes !== undefined) entry.gigabytes_per_second = cost.bytes / mean / 1e9
  if (more !== undefined) entry.more = more
  entries.push(entry)
}

/** The bench file whose results these are: `steps/pretraining`. */
let bench: string | undefined

/** Says whose results are recorded: from then on each race and figure is written as soon as it is there. */
export function keepResults(path: string): void {
  bench = path
}

/**
 * Writes bench/results/STEM.json for the bench file and returns where; undefined when there is nothing to write. A label
 * and an instruction set that was asked for go into the name. Quick and emulated runs, whose times mean nothing, write to
 * bench/results/quick; BIOALBERT_BENCH_OUT names another folder.
 */
export function writeResults(): string | undefined {
  if (bench === undefined || entries.length + races.length + figures.length === 0) return undefined
  const isQuick = process.env.BIOALBERT_BENCH_QUICK === '1' || isEmulated
  const folder =
    process.env.BIOALBERT_BENCH_OUT || join(root, 'bench', 'results', ...(isQuick ? ['quick'] : []))
  makeFolder(folder)
  const label = process.env.BIOALBERT_BENCH_LABEL || undefined
  const isa = isaFromEnvironment()
  const name = [basename(bench), label, isa].filter((part) => part !== undefined).join('.')
  const file = join(folder, `${name}.json`)
  const results: Results = {
    command: commandLine(bench, label),
    facts,
    peaks,
    date: new Date().toISOString(),
    entries,
    peers,
    races,
    figures,
    ...(steps.length > 0 && { steps }),
    curves,
  }
  writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
  return file
}

function commandLine(path: string, label: string | undefined): string {
  const isa = isaFromEnvironment()
  const threads = threadsFromEnvironment()
  const parts = [
    ...(isa === undefined ? [] : [`BIOALBERT_ISA=${isa}`]),
    ...(threads === undefined ? [] : [`BIOALBERT_THREADS=${threads}`]),
    `npm run bench -- ${path}`,
    ...(benchDevice === 'cpu' ? [] : [`--device ${benchDevice}`]),
    ...(process.env.BIOALBERT_BENCH_PEERS === '1' ? ['--peers'] : []),
    ...(racedPrecisions === '' ? [] : [`--precision ${racedPrecisions}`]),
    ...(onlyCase === '' ? [] : [`--case ${/\s/.test(onlyCase) ? `'${onlyCase}'` : onlyCase}`]),
    ...(label === undefined ? [] : [`--label ${label}`]),
  ]
  return parts.join(' ')
}

function commit(): string {
  const git = (...argv: string[]) =>
    spawnSync('git', argv, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
  const id = git('rev-parse', '--short', 'HEAD')
  if (id === '') return 'unknown'
  return git('status', '--porcelain', '--untracked-files=no') === '' ? id : `${id}, changed`
}
