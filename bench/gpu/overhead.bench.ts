/** What a step costs beside its kernels: a model of nano size, whose kernels are so short that JavaScript and launches count. */
import { steps } from '../shapes.js'
import { isEmulated, openBenchDevice } from '../support/device.js'
import { checkLoss, pretrainingStep } from '../support/pretraining_step.js'
import { queuedSeconds, recordStep } from '../support/queued.js'
import { race } from '../support/race.js'

const shape = isEmulated ? steps.nano_2x16 : steps.nano_8x32
const TURN = isEmulated ? 2 : 100

const device = await openBenchDevice()
try {
  const step = await pretrainingStep(device, shape, { dropout: 0.1, precision: 'bf16' })
  const run = async () => {
    const seconds = await queuedSeconds(TURN, step.run)
    checkLoss('ours', await step.loss(), shape)
    return seconds
  }
  const ours = { name: 'ours', precision: 'bf16' as const, ours: true, run }
  await race(`${shape.name}_dropout`, { units: { steps: 1 } }, [ours])
  await recordStep(`${shape.name}_dropout`, TURN, { ...step, program: step.runtime.program('step').program })
  step.free()
} finally {
  await device.destroy()
}
