/** Opens the device that a page or its worker has: WebGPU. */
import { UsageError } from '../error.js'
import type { Device, DeviceChoice } from './device.js'
import { openWebgpu, type WebgpuOptions } from './webgpu/device.js'
import { type IndexedDb, indexedDbStore } from './webgpu/indexed_db.js'
import { kernelSources } from './webgpu/wgsl_node.js'

/**
 * Opens the default adapter of `navigator.gpu`; `compiling` hears how many kernels are compiled, of those that programs asked for
 * since all before them were. Throws a UsageError with the reason when there is none.
 */
export async function openDevice(
  name: DeviceChoice,
  { compiling }: Pick<WebgpuOptions, 'compiling'> = {},
): Promise<Device> {
  if (name !== 'webgpu') throw new UsageError(`there is no device ${name} in a browser (want webgpu)`)
  type Navigator = { readonly gpu?: GPU; readonly hardwareConcurrency?: number }
  const { gpu, hardwareConcurrency: cores } = (globalThis as { navigator?: Navigator }).navigator ?? {}
  if (gpu === undefined)
    throw new UsageError(
      'the webgpu device is not available: this browser has no WebGPU, or this page has not been loaded over HTTPS or from localhost',
    )
  const { indexedDB } = globalThis as { indexedDB?: IndexedDb }
  // in a bundle the sources are unpacked first
  const store = indexedDB && indexedDbStore(indexedDB)
  return openWebgpu(gpu, await kernelSources(), { compiling, store, cores })
}
