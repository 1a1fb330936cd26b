/**
 * The variants of attention on WebGPU that the adapter does not get: the one that it gets is judged by test/device/webgpu/ops.test.ts,
 * where it is compiled for the suite of the op too.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { attentionOnWebgpu } from '../../support/attention_webgpu.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'
import { openVariants, variantInUse, variantsOf } from '../../support/webgpu_variants.js'

await withSwiftshader()

const test = suite('attention on webgpu')

const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'every variant of attention', opened.reason)
else {
  const families = ['attention_forward', 'attention_backward']
  const used = families.map((family) => variantInUse(opened.device, family))
  await opened.device.destroy()
  const [forward, backward] = families.map(variantsOf)
  test('both passes have the same variants', () => {
    assert.equal(forward, backward)
    assert.ok(forward.length > 1)
  })
  for (const variant of forward.filter((name) => !used.every((one) => one === name))) {
    const device = await openVariants(Object.fromEntries(families.map((family) => [family, variant])))
    // of f16 a form of its own and the one for any head
    attentionOnWebgpu(test, variant, device, 2)
    test(`${variant}: all memory is given back`, async () => {
      await device.destroy()
      assert.is(device.bytes, 0)
    })
  }
}

test.run()
