/** Ops that have another form on chips before Hopper (mma.sync), as on compute capability 8.0. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { importOps, openCudaForTest } from '../support/cuda.js'
import { judge } from '../support/op_check.js'
import { skip } from '../support/skip.js'

const test = suite('ops on cuda before Hopper')
const opened = await openCudaForTest(80)
if ('reason' in opened) skip(test, 'products and attention on compute capability 8.0', opened.reason)
else {
  const { device } = opened
  judge(device)
  await importOps(['attention', 'linear', 'linear_gelu', 'pack'])
  test('all memory is given back', async () => {
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
