/** WebGPU in Node: Dawn through the npm package `webgpu`. */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { webgpuVariantsFromEnvironment } from '../../environment.js'
import { UsageError } from '../../error.js'
import { cacheFolder } from '../../paths.js'
import { openWebgpu, type WebgpuDevice, type WebgpuOptions } from './device.js'
import { Pauses } from './pauses_node.js'
import { fileStore } from './store_node.js'
import { missingVulkan } from './vulkan_node.js'
import { kernelSources } from './wgsl_node.js'

/** How `openWebgpuInNode` is told otherwise than by the environment. */
export type NodeOptions = Omit<WebgpuOptions, 'store'>

/** Opens the default adapter. Throws a UsageError with the reason when there is none. */
export async function openWebgpuInNode(options: NodeOptions = {}): Promise<WebgpuDevice> {
  const unavailable = (why: string) => new UsageError(`the webgpu device is not available: ${why}`)
  let gpu: GPU
  try {
    const { create } = await import('webgpu')
    const missing = missingVulkan(dawnLibrary())
    if (missing !== undefined)
      throw unavailable(
        `no loader of Vulkan is installed, by which adapters are reached (${missing}); on Debian and Ubuntu it is the package libvulkan1`,
      )
    gpu = create([
      // timestamps are rounded to 0.1 ms otherwise
      'disable-dawn-features=timestamp_quantization',
      // experimental features are not offered otherwise: matrices of subgroups
      'enable-dawn-features=allow_unsafe_apis',
    ])
  } catch (error) {
    if (error instanceof UsageError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const isAbsent = code === 'ERR_MODULE_NOT_FOUND' && message.includes("'webgpu'")
    const why = isAbsent
      ? 'is not installed, it is optional (npm install webgpu)'
      : `does not load (${message})`
    throw unavailable(`the npm package webgpu ${why}`)
  }
  return openWebgpu(gpu, kernelSources(), {
    store: fileStore(join(cacheFolder(), 'webgpu')),
    variants: webgpuVariantsFromEnvironment(),
    waiting: new Pauses(),
    cores: availableParallelism(),
    ...options,
  })
}

/** The library that the package loads. */
function dawnLibrary(): string {
  const { platform, arch } = process
  const entry = createRequire(import.meta.url).resolve('webgpu')
  return join(dirname(entry), 'dist', `${platform}-${arch}`, 'dawn.node')
}
