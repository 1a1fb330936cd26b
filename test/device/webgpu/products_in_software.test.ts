/**
 * Products by matrices of subgroups where the adapter has none: the code as it stands, with loops in the place of the matrices. What
 * hardware makes of it is not judged here, nor are the stores of 2 bytes of f16, which become stores of f32.
 */
import { availableParallelism } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openWebgpu } from '../../../src/device/webgpu/device.js'
import { Pauses } from '../../../src/device/webgpu/pauses_node.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import { matricesInSoftware } from '../../support/matrices_in_software.js'
import { dense, vocabulary } from '../../support/products_case.js'
import { skip } from '../../support/skip.js'
import { withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('products by matrices of subgroups in software')

/** A variant of products of f16, M, N and K, k of a step, and what is tested. */
const CASES = [
  ['subgroup_matrix', [8, 8, 8], 32, 'f32'],
  ['subgroup_matrix', [16, 8, 16], 32, 'f16'],
  ['subgroup_matrix_wide', [8, 16, 16], 16, 'f16'],
] as const

const { create } = await import('webgpu')
const gpu = create([])
const adapter = await gpu.requestAdapter()
for (const [variant, sizes, step, type] of CASES) {
  const name = `${type}, ${variant} of ${sizes.join(' x ')}`
  if (!adapter) {
    skip(test, name, 'there is no adapter')
    continue
  }
  test(`${name}: dense layers, and statistics of the logits of a vocabulary in f32`, async () => {
    const variants = { product: 'subgroup_matrix', product_f16: variant }
    const sources = matricesInSoftware(kernelSources(), sizes, step)
    const device = await openWebgpu(gpu, sources, {
      variants,
      waiting: new Pauses(),
      cores: availableParallelism(),
    })
    await dense(device, type)
    if (type === 'f32') await vocabulary(device, 12)
    await device.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
