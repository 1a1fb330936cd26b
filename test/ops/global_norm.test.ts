/** global_norm against a float64 sum. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import { segmentTables } from '../../src/graph/segments.js'
import { globalNorm } from '../../src/ops/global_norm.js'
import { allclose, sameBits } from '../support/allclose.js'
import { runKernel } from '../support/kernel_case.js'
import { onEveryIsa, withDevice } from '../support/op_check.js'
import { gradientsOf, normOf, oddParameters } from '../support/optimizer_case.js'

const test = suite('global_norm')
const set = oddParameters()

async function norm(device: Device, gradients: Float32Array, scale?: number): Promise<Float32Array> {
  const { table, chunkCount } = segmentTables(set)
  const buffers = {
    gradients: { shape: [set.arenaElements], data: gradients },
    table: { shape: [chunkCount, 3], data: table },
    norm: { shape: [1] },
  }
  const [attrs, scalars] = scale === undefined ? [{}, {}] : [{ unscale: 'unscale' }, { unscale: 1 / scale }]
  return (await runKernel(device, globalNorm, globalNorm.forward, buffers, attrs, scalars)).norm
}

onEveryIsa(test, 'the norm is that of the trainable segments, gaps left out', async (device) => {
  for (const scale of [1, 1e-15, 1e15]) {
    const gradients = gradientsOf(set, 1).map((v) => v * scale)
    allclose(await norm(device, gradients), [normOf(set, gradients)], { rtol: 1e-6, atol: 0 })
  }
})

onEveryIsa(test, 'one bad element makes the norm not finite', async (device) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const gradients = gradientsOf(set, 1)
    gradients[20001] = bad
    const [value] = await norm(device, gradients)
    assert.not(Number.isFinite(value))
  }
  assert.is((await norm(device, new Float32Array(set.arenaElements)))[0], 0)
})

onEveryIsa(test, 'a loss scale that is divided out again changes no bit', async (device) => {
  const gradients = gradientsOf(set, 1)
  const plain = await norm(device, gradients)
  // 2^120 takes the scaled squares far beyond f32
  for (const exponent of [-20, 0, 1, 16, 24, 120]) {
    const scale = 2 ** exponent
    sameBits(
      await norm(
        device,
        gradients.map((v) => v * scale),
        scale,
      ),
      plain,
      { name: `2^${exponent}` },
    )
  }
})

onEveryIsa(test, 'what overflowed under a scale stays not finite when it is divided out', async (device) => {
  const gradients = gradientsOf(set, 1)
  gradients[20001] = Number.POSITIVE_INFINITY
  assert.not(Number.isFinite((await norm(device, gradients, 2 ** 126))[0]))
})

test('the same bits on 1, 2, 3 and 7 threads', async () => {
  const run = (threads: number) => withDevice({ threads }, (device) => norm(device, gradientsOf(set, 2)))
  const one = await run(1)
  for (const threads of [2, 3, 7]) sameBits(await run(threads), one)
})

test.run()
