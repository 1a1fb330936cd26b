/**
 * Shared WGSL code of rows and reductions in the variants that an adapter in software does not get, as which
 * test/device/webgpu/ops.test.ts runs: the suites of the ops that use them judge it on WebGPU.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../../src/device/device.js'
import { judge } from '../../support/op_check.js'
import { skip } from '../../support/skip.js'
import { importSuites } from '../../support/suites.js'
import { withSwiftshader } from '../../support/swiftshader.js'
import { openVariants } from '../../support/webgpu_variants.js'

await withSwiftshader()

const STEMS = [
  'layernorm',
  'dropout_add_layernorm',
  'embedding',
  'softmax',
  'cross_entropy',
  'argmax',
  'reduce',
  'gather',
  'lamb',
]

const test = suite('variants of WGSL')
let device: Device | undefined
let reason = ''
try {
  device = await openVariants({ rows: 'group', reduce: 'subgroups' })
} catch (error) {
  reason = (error as Error).message
}
if (!device) skip(test, 'rows a workgroup each, reductions by subgroups', reason)
else {
  const opened = device
  judge(opened)
  await importSuites(STEMS.map((stem) => new URL(`../../ops/${stem}.test.js`, import.meta.url)))
  test('all memory is given back', async () => {
    await opened.destroy()
    assert.is(opened.bytes, 0)
  })
}

test.run()
