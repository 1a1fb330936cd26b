/** Loss scaling on WebGPU: no bit depends on the scale, and steps that overflow are left out. */
import { suite } from 'uvu'
import { lossScaleSuite } from '../../support/loss_scale_suite.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('loss scaling on webgpu')
const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'loss scaling on webgpu', opened.reason)
else {
  lossScaleSuite(test, opened.device)
  test('the device closes', () => opened.device.destroy())
}

test.run()
