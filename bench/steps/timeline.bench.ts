/**
 * What it costs to record the timeline of a step, which must stay below 2%: steps with and without it, in turn, of a
 * small model, whose kernels are short and many.
 */
import { steps } from '../shapes.js'
import { quick } from '../support/bench.js'
import { openBenchDevice } from '../support/device.js'
import { pretrainingStep } from '../support/pretraining_step.js'
import { type Contestant, compared, takeTurns } from '../support/race.js'

const device = await openBenchDevice()
const step = await pretrainingStep(device, steps.mini_8x128, { dropout: 0 })
try {
  const cost = { flops: step.flops, units: { tokens: steps.mini_8x128.N } }
  const contestants: Contestant[] = [
    { name: 'recorded', precision: 'f32', ours: true, run: () => step.timeline() },
    { name: 'plain', precision: 'f32', ours: true, run: () => step.run() },
  ]
  const [recorded, plain] = await takeTurns(
    'mini_8x128',
    cost,
    contestants,
    quick ? { rounds: 1, warmup: 1 } : { rounds: 41, warmup: 2 },
  )
  const { ratio, low, high } = compared(recorded, plain)
  console.log(
    `recorded is ${ratio.toFixed(3)} times as fast as plain (${low.toFixed(2)} to ${high.toFixed(2)})`,
  )
} finally {
  step.free()
  await device.destroy()
}
