/**
 * What it costs to record the timeline of a step, which must stay below 2%: steps with and without it, in turn, of a
 * small model, whose kernels are short and many.
 */
import { openCpu } from '../../src/device/cpu.js'
import { steps } from '../shapes.js'
import { alternate } from '../support/alternate.js'
import { quick } from '../support/bench.js'
import { pretrainingStep } from '../support/pretraining_step.js'

const device = openCpu()
const step = await pretrainingStep(device, steps.mini_8x128, { dropout: 0 })
try {
  const cost = { flops: step.flops, units: { tokens: steps.mini_8x128.N } }
  const contestants = [
    { name: 'recorded', run: () => step.timeline() },
    { name: 'plain', run: () => step.run() },
  ] as const
  await alternate('mini_8x128', cost, [...contestants], quick ? { rounds: 1, warmup: 1 } : { rounds: 41 })
} finally {
  step.free()
  await device.destroy()
}
