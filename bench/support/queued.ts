/** Steps as training runs them on a GPU, queued two deep, and where the time of one goes. */
import { performance } from 'node:perf_hooks'
import type { TimelineEvent } from '../../src/device/device.js'
import { calls, type Program } from '../../src/device/program.js'
import { familyOf } from '../../src/profile/prediction.js'
import { AHEAD } from '../../src/training/queue.js'
import { recordFigure, recordStepTimes } from './record.js'

/** Seconds of a step when `count` are asked for, at most as many at a time as training asks for. */
export async function queuedSeconds(count: number, run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  const asked: Promise<unknown>[] = []
  for (let i = 0; i < count; i++) {
    asked.push(run())
    if (i >= AHEAD - 1) await asked[i + 1 - AHEAD]
  }
  await Promise.all(asked)
  return (performance.now() - start) / 1000 / count
}

export interface RecordedStep {
  run(): Promise<unknown>
  timeline(): Promise<TimelineEvent[]>
  readonly program: Program
}

/** Records seconds of a step, of its kernels and of JavaScript; prints what the GPU waited for between steps. */
export async function recordStep(name: string, count: number, step: RecordedStep): Promise<void> {
  await step.run()
  const before = performance.eventLoopUtilization()
  const seconds = await queuedSeconds(count, () => step.run())
  const { active } = performance.eventLoopUtilization(before)
  const javascript = active / 1000 / count
  await step.timeline() // which has memory to ask for
  const events = await step.timeline()
  const span = (Math.max(...events.map(ends)) - Math.min(...events.map(({ start }) => start))) / 1e9
  const list = [...calls(step.program)]
  const families = new Map<string, { family: string; calls: number; ms: number }>()
  for (const { call, duration } of events) {
    const family = familyOf(list[call].kernel.name)
    const row = families.get(family) ?? { family, calls: 0, ms: 0 }
    families.set(family, { family, calls: row.calls + 1, ms: row.ms + duration / 1e6 })
  }
  const rows = [...families.values()].sort((a, b) => b.ms - a.ms)
  recordStepTimes({ name, seconds, span, javascript, families: rows })
  const idle = Math.max(0, 1 - span / seconds)
  recordFigure({
    what: `${name}: share of a step in which the GPU waits for the next`,
    value: `${(100 * idle).toFixed(1)}%`,
  })
  recordFigure({ what: `${name}: JavaScript`, value: `${(1e3 * javascript).toFixed(3)} ms a step` })
  console.log(
    `${name}: ${(1e3 * seconds).toFixed(3)} ms a step, kernels ${(1e3 * span).toFixed(3)} ms, ` +
      `JavaScript ${(1e3 * javascript).toFixed(3)} ms`,
  )
  for (const { family, calls: n, ms } of rows)
    console.log(`  ${family.padEnd(32)} ${String(n).padStart(4)} calls  ${ms.toFixed(3).padStart(9)} ms`)
}

function ends({ start, duration }: TimelineEvent): number {
  return start + duration
}
