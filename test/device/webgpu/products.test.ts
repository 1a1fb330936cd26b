/**
 * Every variant of the shared matrix product (kernels/wgsl/shared/product and product_f16) that the adapter has. The suites of test/ops
 * judge the variant that an adapter gets, with many more shapes.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../../src/device/device.js'
import type { Variants } from '../../../src/device/webgpu/source.js'
import { UsageError } from '../../../src/error.js'
import { dense, matrices, vocabulary } from '../../support/products_case.js'
import { skip } from '../../support/skip.js'
import { withSwiftshader } from '../../support/swiftshader.js'
import { openVariants, variantsOf } from '../../support/webgpu_variants.js'

await withSwiftshader()

const test = suite('products on webgpu')

/** By names, with the types of operands that they are for. */
const cases: readonly (readonly [name: string, variants: Variants, types: readonly ('f32' | 'f16')[]])[] = [
  ...variantsOf('product').map(
    (product) => [product, { product, product_f16: 'loaded' }, ['f32', 'f16']] as const,
  ),
  ...variantsOf('product_f16')
    .filter((variant) => variant !== 'loaded')
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
  for (const type of types)
    test(`${name}: ${type}: y, dx, dweight and dbias of dense layers, of the rows that are there`, () =>
      dense(device, type))
  if (types.some((type) => type === 'f32')) {
    test(`${name}: matrices in all orders`, () => matrices(device))
    test(`${name}: statistics of the logits of a vocabulary and their gradients, in fours and not`, async () => {
      for (const width of [12, 9]) await vocabulary(device, width)
    })
  }
  test(`${name}: all memory is given back`, async () => {
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
