/**
 * Profiles of WebGPU: the same table from the device's own timestamps, and from the host's clock where the adapter has
 * none, which is said.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import { openWebgpu } from '../../src/device/webgpu/device.js'
import { kernelSources } from '../../src/device/webgpu/wgsl_node.js'
import { summarize } from '../../src/profile/profile.js'
import { record } from '../../src/profile/run.js'
import { makeWorkload } from '../../src/profile/workload.js'
import { skip } from '../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../support/swiftshader.js'

await withSwiftshader()

const test = suite('profile on webgpu')

const workload = makeWorkload({
  kind: 'finetune',
  preset: 'nano',
  vocabulary: 60,
  rows: 24,
  length: 10,
  recompute: false,
  seed: 1,
})

async function profile(device: Device) {
  try {
    const { program, steps, peaks, workingBytes } = await record(workload, device, 1)
    assert.is(peaks, undefined)
    assert.ok(workingBytes > 0)
    const { kernels, ...rest } = summarize({
      program,
      sizes: workload.sizes,
      steps,
      tokens: 24,
      by: 'kernel',
    })
    assert.ok(rest.kernelMs > 0 && rest.kernelMs <= rest.ms, `${rest.kernelMs} of ${rest.ms} ms`)
    const calls = Object.fromEntries(kernels.map((k) => [k.name, k.calls]))
    assert.is(calls.attention_forward, 2)
    assert.is(calls.attention_backward, 2)
    assert.is(calls.adamw_forward, 1)
  } finally {
    await device.destroy()
  }
}

const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'all of it', opened.reason)
else {
  test('timestamps of the adapter', async () => {
    const hasTimestamps = opened.device.info.facts.timestamps === 1
    assert.is(opened.device.timelineClock, hasTimestamps ? 'device' : 'host')
    await profile(opened.device)
  })

  test('an adapter without timestamps is timed by the host, call by call', async () => {
    const { create } = await import('webgpu')
    const gpu = create([])
    const blind = {
      async requestAdapter() {
        const adapter = await gpu.requestAdapter()
        if (!adapter) return null
        const { limits, info } = adapter
        return {
          limits,
          info,
          features: new Set<string>(),
          requestDevice: (descriptor: GPUDeviceDescriptor) => adapter.requestDevice(descriptor),
        }
      },
    } as unknown as GPU
    const device = await openWebgpu(blind, kernelSources())
    assert.is(device.timelineClock, 'host')
    await profile(device)
  })
}

test.run()
