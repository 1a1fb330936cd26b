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
    throw new UsageError(
      `the webgpu device is not available: the npm package webgpu does not load (${(error as Error).message})`,
    )
  }
  return openWebgpu(gpu, kernelSources())
}
