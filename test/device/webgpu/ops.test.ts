/**
 * The suites of test/ops, which judge kernels by float64 loops and central differences, on the WebGPU device; and what is asked of every
 * variant of products and attention, of those that the adapter gets: their kernels are compiled here already.
 */
import { readdirSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { attentionOnWebgpu } from '../../support/attention_webgpu.js'
import { judge } from '../../support/op_check.js'
import { productsOnWebgpu } from '../../support/products_case.js'
import { skip } from '../../support/skip.js'
import { importSuites } from '../../support/suites.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('ops on webgpu')
const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'every op on webgpu', opened.reason)
else {
  const { device } = opened
  judge(device)
  const folder = new URL('../../ops/', import.meta.url)
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.js'))
  await importSuites(files.sort().map((file) => new URL(file, folder)))
  attentionOnWebgpu(test, 'attention', device)
  productsOnWebgpu(test, 'products', device, ['f32', 'f16'])
  test('all memory is given back', async () => {
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
