/**
 * What bench/gpu.sh asks first: whether the device is there, and under which name its results are kept. Usage: node preflight.js
 * DEVICE [--step]; prints `LABEL<tab>what it is`. With --step it takes a pretraining step of nano size and reads its loss: a
 * program short enough for compute-sanitizer.
 */

import type { DeviceChoice } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'
import { UserError } from '../../src/error.js'
import { steps } from '../shapes.js'
import { cardOf } from '../support/device.js'
import { checkFirst, pretrainingStep } from '../support/pretraining_step.js'

const [name, ...options] = process.argv.slice(2)
try {
  const device = await openDevice(name as DeviceChoice)
  const { detail, facts } = device.info
  if (options.includes('--step')) {
    const step = await pretrainingStep(device, steps.nano_2x16, { dropout: 0.1, precision: 'bf16' })
    await step.run()
    const loss = await step.loss()
    checkFirst('ours', loss, steps.nano_2x16)
    console.log(`a nano step: loss ${loss.toFixed(4)}`)
    step.free()
  } else console.log(`${cardOf(`${facts.gpu}`) ?? 'gpu'}\t${detail}`)
  await device.destroy()
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
