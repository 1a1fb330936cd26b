/** The suites of test/ops, which judge kernels by float64 loops and central differences, on CUDA as on a Hopper. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { importOps, openCudaForTest } from '../support/cuda.js'
import { judge } from '../support/op_check.js'
import { skip } from '../support/skip.js'

const test = suite('ops on cuda')
const opened = await openCudaForTest(90)
if ('reason' in opened) skip(test, 'every op on cuda', opened.reason)
else {
  const { device } = opened
  judge(device)
  await importOps()
  test('all memory is given back', async () => {
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
