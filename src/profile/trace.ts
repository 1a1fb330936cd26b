/**
 * A profile as a trace in Chrome's JSON format, which Perfetto (ui.perfetto.dev) and chrome://tracing open: a track of
 * steps, and one of kernels with what each execution had to do. Times are microseconds from the first step on.
 * Source: "Trace Event Format", the Chromium project.
 */
import type { TimelineEvent } from '../device/device.js'
import { calls, type Program, type Sizes } from '../device/program.js'
import { workOf } from './profile.js'

/** A step as it lies in time: milliseconds by the clock of the host. */
export interface TracedStep {
  readonly start: number
  /** When its inputs were written and the device was called; the timeline counts from here. */
  readonly running: number
  readonly end: number
  readonly events: readonly TimelineEvent[]
}

export interface TraceEvent {
  readonly name: string
  /** X: something that lasts; M: the name of a track. */
  readonly ph: 'X' | 'M'
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly cat?: string
  readonly args?: Readonly<Record<string, string | number>>
}

export interface Trace {
  readonly displayTimeUnit: 'ms'
  readonly traceEvents: readonly TraceEvent[]
  readonly otherData: Readonly<Record<string, string | number>>
}

const PID = 1
const STEPS = 1
const KERNELS = 2

export function buildTrace(
  program: Program,
  sizes: Sizes,
  steps: readonly TracedStep[],
  facts: Readonly<Record<string, string | number>>,
): Trace {
  const list = [...calls(program)]
  const work = list.map((call) => workOf(call, sizes))
  const zero = steps[0]?.start ?? 0
  const us = (ms: number) => (ms - zero) * 1000
  const name = (tid: number, what: string, text: string): TraceEvent => ({
    name: what,
    ph: 'M',
    pid: PID,
    tid,
    ts: 0,
    args: { name: text },
  })
  const traceEvents: TraceEvent[] = [
    name(STEPS, 'process_name', 'bioalbert'),
    name(STEPS, 'thread_name', 'steps'),
    name(KERNELS, 'thread_name', 'kernels'),
  ]
  steps.forEach(({ start, running, end, events }, i) => {
    const span = (what: string, from: number, to: number): TraceEvent => ({
      name: what,
      cat: 'step',
      ph: 'X',
      pid: PID,
      tid: STEPS,
      ts: us(from),
      dur: 1000 * (to - from),
    })
    traceEvents.push({ ...span(`step ${i}`, start, end), args: { step: i } }, span('inputs', start, running))
    for (const { call, iteration, start: at, duration } of events) {
      const { kernel, label } = list[call]
      const { flops, bytes } = work[call]
      traceEvents.push({
        name: kernel.name,
        cat: 'kernel',
        ph: 'X',
        pid: PID,
        tid: KERNELS,
        ts: us(running) + at / 1000,
        dur: duration / 1000,
        args: {
          label,
          iteration,
          flops,
          bytes,
          gflops: duration > 0 ? flops / duration : 0,
          gbps: duration > 0 ? bytes / duration : 0,
          step: i,
        },
      })
    }
  })
  return { displayTimeUnit: 'ms', traceEvents, otherData: facts }
}
