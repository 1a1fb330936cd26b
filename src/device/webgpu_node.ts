/** WebGPU in Node: Dawn through the npm package `webgpu`, kernel sources from the package's folder. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { UsageError } from '../error.js'
import { packageRoot } from '../paths.js'
import type { Device } from './device.js'
import { openWebgpu } from './webgpu.js'
import type { KernelSources } from './webgpu_source.js'

/** Every file of kernels/wgsl. */
export function kernelSources(): KernelSources {
  const folder = join(packageRoot, 'kernels', 'wgsl')
  const read = (file: string) => readFileSync(join(folder, file), 'utf8')
  const stems = readdirSync(folder)
    .filter((file) => file.endsWith('.wgsl') && file !== 'prelude.wgsl')
    .map((file) => basename(file, '.wgsl'))
    .sort()
  return {
    prelude: read('prelude.wgsl'),
    files: Object.fromEntries(stems.map((stem) => [stem, read(`${stem}.wgsl`)])),
  }
}

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
