/**
 * The variants of the shared matrix product (kernels/wgsl/shared/product and product_f16) that the adapter could have and does not get:
 * the one that it gets is judged by test/device/webgpu/ops.test.ts, with the suites of ops and their many more shapes.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../../src/device/device.js'
import type { Variants } from '../../../src/device/webgpu/source.js'
import { UsageError } from '../../../src/error.js'
import { productsOnWebgpu } from '../../support/products_case.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'
import { openVariants, variantInUse, variantsOf } from '../../support/webgpu_variants.js'

await withSwiftshader()

const test = suite('products on webgpu')

const opened = await openWebgpuForTest()
let used: Partial<Variants> = {}
if (!('reason' in opened)) {
  const { device } = opened
  used = {
    product: variantInUse(device, 'product'),
    product_f16: variantInUse(device, 'product_f16') ?? 'loaded',
  }
  await device.destroy()
}

/** By names, with the types of operands that they are for. */
const cases: readonly (readonly [name: string, variants: Variants, types: readonly ('f32' | 'f16')[]])[] = [
  ...variantsOf('product')
    .filter((product) => product !== used.product || used.product_f16 !== 'loaded')
    .map((product) => [product, { product, product_f16: 'loaded' }, ['f32', 'f16']] as const),
  ...variantsOf('product_f16')
    .filter((variant) => variant !== 'loaded' && variant !== used.product_f16)
    .map((variant) => [`f16 by ${variant}`, { product_f16: variant }, ['f16']] as const),
]

for (const [name, variants, types] of cases) {
  let device: Device
  try {
    device = await openVariants(variants)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    skip(test, `products of variant ${name}`, error.message)
    continue
  }
  // words not in fours differ in how they are loaded, alike in all variants: ops.test.ts has them
  productsOnWebgpu(test, name, device, types, [12])
  test(`${name}: all memory is given back`, async () => {
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
