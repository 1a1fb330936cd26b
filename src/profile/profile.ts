/**
 * The mathematics of a profile: timelines of a program in, the table of its kernels and the summary of a step out.
 * Operations and bytes are what the ops declare for the sizes of the run (`Work`); nothing here knows a device, so the
 * same table serves all of them.
 */
import type { TimelineEvent } from '../device/device.js'
import type { Kernel, Products } from '../device/kernel.js'
import { computePeak, type Peaks } from '../device/peak.js'
import { type Call, calls, type Program, type Sizes, totalWork } from '../device/program.js'

/** One step as it was run. Milliseconds. */
export interface StepRecord {
  /** From the first byte of its inputs to the end of its last kernel, by the clock of the host. */
  readonly ms: number
  readonly events: readonly TimelineEvent[]
}

/** The roof that binds a kernel: arithmetic, or memory at its operations a byte. */
export type Roof = 'compute' | 'memory'

/** A kernel, or a place in the model, in one step on average. */
export interface KernelRow {
  readonly name: string
  /** Executions a step. */
  readonly calls: number
  readonly ms: number
  /** Percent of the time of all kernels. */
  readonly share: number
  readonly flops: number
  readonly bytes: number
  /** 10^9 a second. */
  readonly gflops: number
  readonly gbps: number
  /** Operations a byte; undefined where no bytes are declared. */
  readonly intensity?: number
  readonly roof?: Roof
  /** Of the roof that binds; undefined where peaks or work are not known. */
  readonly percentOfPeak?: number
  /** The roof of compute under which it stands, where that is not of f32. */
  readonly products?: Products
}

export interface Profile {
  readonly steps: number
  /** A step on average, and of it the kernels and what is between and around them. */
  readonly ms: number
  readonly kernelMs: number
  readonly outsideMs: number
  readonly flops: number
  readonly modelFlops: number
  readonly bytes: number
  readonly gflops: number
  /**
   * Model FLOPs utilisation in [0, 1]: the time that the model's operations take at the peak of their type, over the time
   * of a step.
   */
  readonly mfu?: number
  readonly tokensPerSecond: number
  /** By time, the longest first. */
  readonly kernels: readonly KernelRow[]
}

export interface ProfileInput {
  readonly program: Program
  readonly sizes: Sizes
  readonly steps: readonly StepRecord[]
  /** Tokens of a step. */
  readonly tokens: number
  readonly peaks?: Peaks
  /** One row for each entry point, or for each label: a kernel and where in the model it was called. */
  readonly by: 'kernel' | 'label'
}

/** Sums up steps of one program. Throws when there is none. */
export function summarize({ program, sizes, steps, tokens, peaks, by }: ProfileInput): Profile {
  if (steps.length === 0) throw new Error('a profile wants at least one step')
  const list = [...calls(program)]
  const work = list.map((call) => workOf(call, sizes))
  const sums = new Map<string, Sum>()
  for (const { events } of steps)
    for (const { call, duration } of events) {
      const name = by === 'kernel' ? list[call].kernel.name : list[call].label
      let sum = sums.get(name)
      if (!sum) {
        sum = { calls: 0, ns: 0, flops: 0, bytes: 0, products: list[call].kernel.products }
        sums.set(name, sum)
      }
      sum.calls++
      sum.ns += duration
      sum.flops += work[call].flops
      sum.bytes += work[call].bytes
    }
  const n = steps.length
  const kernelNs = [...sums.values()].reduce((total, { ns }) => total + ns, 0)
  const rows = [...sums].map(([name, sum]): KernelRow => {
    const { ns, flops, bytes, products } = sum
    const share = kernelNs > 0 ? (100 * ns) / kernelNs : 0
    return {
      name,
      calls: sum.calls / n,
      ms: ns / n / 1e6,
      share,
      flops: flops / n,
      bytes: bytes / n,
      gflops: rate(flops, ns),
      gbps: rate(bytes, ns),
      intensity: bytes > 0 ? flops / bytes : undefined,
      ...against(peaks, sum),
      ...(products && { products }),
    }
  })
  rows.sort((a, b) => b.ms - a.ms || (a.name < b.name ? -1 : 1))
  const ms = steps.reduce((total, step) => total + step.ms, 0) / n
  const kernelMs = kernelNs / n / 1e6
  const { flops, modelFlops, bytes } = totalWork(program, sizes)
  return {
    steps: n,
    ms,
    kernelMs,
    outsideMs: ms - kernelMs,
    flops,
    modelFlops,
    bytes,
    gflops: rate(flops, ms * 1e6),
    mfu: peaks && modelTime(program, sizes, peaks) / (ms * 1e6),
    tokensPerSecond: (1000 * tokens) / ms,
    kernels: rows,
  }
}

interface Sum extends Pick<Kernel, 'products'> {
  calls: number
  ns: number
  flops: number
  bytes: number
}

/** Nanoseconds of the model's operations at the peaks. */
function modelTime(program: Program, sizes: Sizes, peaks: Peaks): number {
  let ns = 0
  for (const step of program.steps)
    for (const { kernel, work } of step.kind === 'call' ? [step] : step.body)
      ns +=
        ((step.kind === 'call' ? 1 : step.count) * (work?.(sizes).modelFlops ?? 0)) /
        computePeak(peaks, kernel)
  return ns
}

export function workOf(call: Call, sizes: Sizes): { flops: number; bytes: number } {
  return call.work?.(sizes) ?? { flops: 0, bytes: 0 }
}

/** What the peaks allow at best: the smaller of the peak of compute and of bandwidth x operations a byte. 10^9 a second. */
export function roofAt(
  peaks: Pick<Peaks, 'gflops' | 'gigabytes'>,
  intensity: number,
): { roof: Roof; gflops: number } {
  const byMemory = peaks.gigabytes * intensity
  return byMemory < peaks.gflops
    ? { roof: 'memory', gflops: byMemory }
    : { roof: 'compute', gflops: peaks.gflops }
}

/** The time that the binding roof allows, over the time taken: for kernels without operations as well. */
function against(
  peaks: Peaks | undefined,
  { ns, flops, bytes, products }: Sum,
): { roof?: Roof; percentOfPeak?: number } {
  if (!peaks || ns <= 0 || flops + bytes === 0) return {}
  const compute = flops / computePeak(peaks, { products })
  const memory = bytes / peaks.gigabytes
  return {
    roof: memory > compute ? 'memory' : 'compute',
    percentOfPeak: (100 * Math.max(compute, memory)) / ns,
  }
}

/** Per nanosecond is 10^9 a second. */
function rate(amount: number, ns: number): number {
  return ns > 0 ? amount / ns : 0
}
