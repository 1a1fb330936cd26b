/**
 * The wrapper around benchmark.js that every bench uses: `await bench(name, cost, fn)`. It checks the result
 * against an oracle first, warms up, then samples; prints mean, relative margin of error, samples, GFLOP/s, GB/s and the
 * share of the machine's measured peak; and keeps a record for the results file. The timed function must
 * synchronise: its promise resolves when the work is done.
 */
import Benchmark from 'benchmark'
import type { Products } from '../../src/device/kernel.js'
import { peaks, record, type Timing } from './record.js'

export interface Cost {
  /** Floating-point operations of one call. */
  flops?: number
  /** Of what its products are, where that has a peak of its own. */
  products?: Products
  /** Bytes that one call must move at least. */
  bytes?: number
  /** Other units of work of one call, printed per second: { tokens: 1024 }. */
  units?: Record<string, number>
}

export interface BenchOptions {
  /** Runs once before anything is timed; throws when the timed function computes something wrong. */
  check?: () => void | Promise<void>
  /** Calls before the first sample. Default 3. */
  warmup?: number
  /** Seconds of sampling, about. Default 2. */
  seconds?: number
  /** Samples at least. Default 8. */
  samples?: number
}

/** BIOALBERT_BENCH_QUICK=1: every check, but a sample or two, whose times mean nothing. */
export const quick = process.env.BIOALBERT_BENCH_QUICK === '1'

/** Runs one bench; resolves to its timing. Rejects when the check or a call fails. */
export async function bench(
  name: string,
  cost: Cost,
  fn: () => unknown,
  { check, warmup = quick ? 0 : 3, seconds = quick ? 0.01 : 2, samples = quick ? 1 : 8 }: BenchOptions = {},
): Promise<Timing> {
  await check?.()
  for (let i = 0; i < warmup; i++) await fn()
  const timing = await sample(name, fn, seconds, samples)
  record(name, cost, timing)
  console.log(line(name, cost, timing))
  return timing
}

function sample(name: string, fn: () => unknown, seconds: number, samples: number): Promise<Timing> {
  return new Promise((resolve, reject) => {
    let failure: unknown
    const benchmark = new Benchmark(name, {
      defer: true,
      maxTime: seconds,
      minSamples: samples,
      // benchmark.js knows nothing of promises: a rejection that is not turned into resolve() hangs it forever.
      fn: async (deferred: Benchmark.Deferred) => {
        try {
          if (failure === undefined) await fn()
        } catch (error) {
          failure = error
          benchmark.abort()
        }
        deferred.resolve()
      },
      onComplete: () => {
        if (failure !== undefined) reject(failure)
        else resolve({ ...benchmark.stats, samples: benchmark.stats.sample.length })
      },
      onAbort: () => reject(failure ?? new Error(`${name}: aborted`)),
    })
    benchmark.run({ async: true })
  })
}

/** One printed line for a timing: `name  12.3 ms ±0.4%  20 samples  123.4 GFLOP/s (81% of peak)  ...`. */
export function line(name: string, cost: Cost, timing: Timing): string {
  const parts = [
    name.padEnd(34),
    `${time(timing.mean)} ±${timing.rme.toFixed(1)}%`,
    `${timing.samples} samples`,
  ]
  const { gigabytes } = peaks
  const compute = cost.products ? peaks[cost.products] : peaks.gflops
  if (cost.flops !== undefined) parts.push(speed(cost.flops / timing.mean / 1e9, 'GFLOP/s', compute))
  if (cost.bytes !== undefined) parts.push(speed(cost.bytes / timing.mean / 1e9, 'GB/s', gigabytes))
  for (const [unit, count] of Object.entries(cost.units ?? {})) {
    parts.push(`${Math.round(count / timing.mean).toLocaleString('en-US')} ${unit}/s`)
  }
  return parts.join('  ')
}

function speed(value: number, unit: string, peak?: number): string {
  const share = peak === undefined ? '' : ` (${((100 * value) / peak).toFixed(0)}% of peak)`
  return `${value.toFixed(1).padStart(7)} ${unit}${share}`
}

/** Seconds as µs, ms or s. */
export function time(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(1)} µs`
  return seconds < 1 ? `${(seconds * 1e3).toFixed(2)} ms` : `${seconds.toFixed(3)} s`
}
