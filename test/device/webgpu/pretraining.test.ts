/**
 * On WebGPU, steps of pretraining and fine-tuning follow the CPU's, and golden steps of models, heads and activations those of
 * transformers.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Runtime } from '../../../src/graph/runtime.js'
import { preset } from '../../../src/model/config.js'
import { DEFAULT_OPTIMIZER } from '../../../src/training/optimizer.js'
import { pretrainingPrograms } from '../../../src/training/pretraining/programs.js'
import { followsTheCpu } from '../../support/device_steps.js'
import { staysWithTheCpu } from '../../support/long_runs.js'
import { judge } from '../../support/op_check.js'
import { skip } from '../../support/skip.js'
import { importSuites } from '../../support/suites.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('pretraining on webgpu')
const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'losses of a nano model follow the CPU', opened.reason)
else {
  const { device } = opened
  judge(device)
  const stems = ['albert', 'bert', 'heads', 'activations']
  await importSuites(stems.map((stem) => new URL(`../../model/${stem}.test.js`, import.meta.url)))
  followsTheCpu(test, device)
  staysWithTheCpu(test, device)

  test('bf16 is refused by the name of the kernel', async () => {
    const capacity = { rows: 96, sequences: 4, masked: 20 }
    const { parameters, graphs } = pretrainingPrograms(preset('nano', 211), capacity, DEFAULT_OPTIMIZER, {
      precision: 'bf16',
    })
    assert.throws(
      () => new Runtime(device, parameters, graphs),
      (error: Error) =>
        error.name === 'UserError' && /the webgpu device has no kernel pack_forward/.test(error.message),
    )
  })

  test('the device closes', () => device.destroy())
}

test.run()
