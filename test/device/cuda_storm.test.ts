/** The storm of workers (test/support/storm_suite.ts) on an emulated GPU. */
import { suite } from 'uvu'
import { openDevice } from '../../src/device/open.js'
import { skip } from '../support/skip.js'
import { stormTests } from '../support/storm_suite.js'

const reason = await openDevice('cuda-emulated').then(
  (device) => device.destroy(),
  (error: Error) => error.message,
)
if (reason === undefined) stormTests('cuda-emulated', 60)
else {
  const test = suite('storm of workers on cuda-emulated')
  skip(test, 'storm of workers', reason)
  test.run()
}
