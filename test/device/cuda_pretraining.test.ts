/** On CUDA, golden steps of models and heads follow transformers, and pretraining steps the CPU's, in f32 and bf16. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCudaForTest } from '../support/cuda.js'
import { followsTheCpu } from '../support/device_steps.js'
import { judge } from '../support/op_check.js'
import { skip } from '../support/skip.js'
import { importSuites } from '../support/suites.js'

const test = suite('pretraining on cuda')
const opened = await openCudaForTest()
if ('reason' in opened) skip(test, 'golden steps, and losses of a nano model', opened.reason)
else {
  const { device } = opened
  judge(device)
  const stems = ['albert', 'bert', 'bf16', 'heads', 'activations']
  await importSuites(stems.map((stem) => new URL(`../model/${stem}.test.js`, import.meta.url)))
  followsTheCpu(test, device, { steps: 2, bf16: true })
  test('all memory is given back', async () => {
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
