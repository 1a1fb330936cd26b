/** Runs a workload on a device: peaks, steps that warm up, steps that are recorded, and peaks again. */
import type { Device } from '../device/device.js'
import { higherPeaks, measurePeaks, type Peaks } from '../device/peak.js'
import type { Program } from '../device/program.js'
import { type MemoryPlan, memoryOn, Runtime } from '../graph/runtime.js'
import { refuseTooLarge } from '../training/memory.js'
import type { StepRecord } from './profile.js'
import type { TracedStep } from './trace.js'
import type { Workload } from './workload.js'

/** Steps before the first that counts: memory is touched, pipelines are made. */
const WARM_UP = 2

export interface Recording {
  readonly program: Program
  readonly steps: readonly (StepRecord & TracedStep)[]
  /** Undefined on a device that cannot measure them. */
  readonly peaks?: Peaks
  readonly memory: MemoryPlan
  /** Bytes that the device holds beside what was planned. */
  readonly workingBytes: number
}

/** Records `steps` steps; `told` hears of every step, with those that warm up. Throws a UserError when memory does not suffice. */
export async function record(
  workload: Workload,
  device: Device,
  steps: number,
  told: (done: number, total: number) => void = () => undefined,
): Promise<Recording> {
  const { parameters, graph, initial, inputs, scalars } = workload
  refuseTooLarge(memoryOn(device, parameters, { step: graph }), device)
  const before = await measurePeaks(device)
  const runtime = new Runtime(device, parameters, { step: graph })
  try {
    await runtime.writeState('parameters', initial)
    const recorded: (StepRecord & TracedStep)[] = []
    for (let i = -WARM_UP; i < steps; i++) {
      const start = performance.now()
      await runtime.write('step', inputs)
      const running = performance.now()
      const events = await runtime.timeline('step', {}, { ...scalars, draw: i + WARM_UP })
      const end = performance.now()
      if (i >= 0) recorded.push({ start, running, end, ms: end - start, events })
      told(i + WARM_UP + 1, steps + WARM_UP)
    }
    const { memory } = runtime
    const recording = {
      program: runtime.program('step').program,
      steps: recorded,
      memory,
      workingBytes: device.bytes - memory.totalBytes,
    }
    runtime.free() // the peaks want memory too
    const after = await measurePeaks(device)
    return { ...recording, peaks: before && after && higherPeaks(before, after) }
  } finally {
    runtime.free()
  }
}
