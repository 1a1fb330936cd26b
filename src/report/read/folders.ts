/**
 * Finds what the named folders hold: a run, a benchmark with its runs, a profile, or folders of these a few levels down.
 * Links are not followed. A folder that holds nothing is an error.
 */
import { readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { isSystemError, systemReason, UserError } from '../../error.js'
import { BENCHMARK_FILE } from '../../evaluation/record.js'
import type { Benchmark, Picture, Profile, Report, Run } from '../model.js'
import { placeOf, readBenchmark } from './benchmark.js'
import { PROFILE_FILE, readPictures, readProfile } from './profile.js'
import { isRun, readRun } from './run.js'

/** A benchmark's runs are four levels down, and the benchmark may lie in a folder of several. */
const DEPTH = 5

interface Found {
  readonly runs: Run[]
  readonly benchmarks: Benchmark[]
  readonly profiles: Profile[]
  readonly pictures: Picture[]
}

/** Reads all. Throws a UserError or InputError for a folder that is none or holds nothing, and for files that do not fit. */
export function readFolders(dirs: readonly string[]): Report {
  const found: Found = { runs: [], benchmarks: [], profiles: [], pictures: [] }
  const seen = new Set<string>()
  for (const [i, dir] of dirs.entries()) {
    if (seen.has(resolve(dir))) continue
    seen.add(resolve(dir))
    const before = sizeOf(found)
    visit(dir, dirs.length === 1 ? '' : nameOf(dirs, i), 0, found, undefined)
    if (sizeOf(found) === before)
      throw new UserError(
        `${dir}: found no run, benchmark or profile, expected a folder with ${BENCHMARK_FILE}, scores.json, log.jsonl, ` +
          `checkpoints or ${PROFILE_FILE}, or with such folders in it`,
      )
  }
  return found
}

/** The last part of the folder's path; the whole path where another ends alike. */
function nameOf(dirs: readonly string[], i: number): string {
  const last = (dir: string) => basename(resolve(dir))
  const others = dirs.filter((dir) => resolve(dir) !== resolve(dirs[i]))
  return others.some((dir) => last(dir) === last(dirs[i])) ? dirs[i] : last(dirs[i])
}

function sizeOf({ runs, benchmarks, profiles, pictures }: Found): number {
  return runs.length + benchmarks.length + profiles.length + pictures.length
}

/** A folder inside a benchmark's, by the parts of its path. */
interface Inside {
  readonly benchmark: Benchmark
  readonly parts: readonly string[]
}

function visit(dir: string, name: string, depth: number, found: Found, outer: Inside | undefined): void {
  const entries = list(dir)
  const shown = name === '' ? basename(resolve(dir)) : name
  const files = new Set(entries.map((entry) => entry.name))
  let inside = outer
  if (files.has(BENCHMARK_FILE)) {
    const benchmark = readBenchmark(dir, shown)
    found.benchmarks.push(benchmark)
    inside = { benchmark, parts: [] }
  }
  if (files.has(PROFILE_FILE)) found.profiles.push(readProfile(dir, shown))
  found.pictures.push(...readPictures(dir, shown))
  if (isRun(files)) {
    const place = placeOf(inside?.parts ?? partsOf(dir), inside?.benchmark)
    found.runs.push(readRun(dir, shown, place && { ...place, benchmark: inside?.benchmark.dir }))
    return
  }
  if (depth === DEPTH) return
  for (const entry of entries.filter((one) => one.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
    const deeper = inside && { ...inside, parts: [...inside.parts, entry.name] }
    visit(join(dir, entry.name), name === '' ? entry.name : `${name}/${entry.name}`, depth + 1, found, deeper)
  }
}

/** The last four parts: a benchmark that was killed has runs in their places, and no file yet that says so. */
function partsOf(dir: string): string[] {
  return resolve(dir).split(/[\\/]/).slice(-4)
}

function list(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true })
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new UserError(`${dir}: cannot be read: ${systemReason(error)}`)
  }
}
