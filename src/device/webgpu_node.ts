/** WebGPU in Node: Dawn through the npm package `webgpu`. */
import { UsageError } from '../error.js'
import type { Device } from './device.js'
import { openWebgpu } from './webgpu.js'
import { kernelSources } from './wgsl_node.js'

/** Opens the default adapter. Throws a UsageError with the reason when there is none. */
export async function openWebgpuInNode(): Promise<Device> {
  let gpu: GPU
  try {
    const { create } = await import('webgpu')
    // Timestamps are rounded to 0.1 ms otherwise.
    gpu = create(['disable-dawn-features=timestamp_quantization'])
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isAbsent = code === 'ERR_MODULE_NOT_FOUND' && message.includes("'webgpu'")
    const why = isAbsent
      ? 'is not installed, it is optional (npm install webgpu)'
      : `does not load (${message})`
    throw new UsageError(`the webgpu device is not available: the npm package webgpu ${why}`)
  }
  return openWebgpu(gpu, kernelSources())
}
