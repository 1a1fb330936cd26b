/** WebGPU in Node: Dawn through the npm package `webgpu`, kernel sources from the package's folder. */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { webgpuVariantsFromEnvironment } from '../environment.js'
import { UsageError } from '../error.js'
import { cacheFolder, packageRoot } from '../paths.js'
import { missingVulkan } from './vulkan.js'
import { openWebgpu, type WebgpuDevice, type WebgpuOptions } from './webgpu.js'
import type { KernelSources } from './webgpu_source.js'
import { fileStore } from './webgpu_store.js'

/** Every file of kernels/wgsl. */
export function kernelSources(): KernelSources {
  const folder = join(packageRoot, 'kernels', 'wgsl')
  const shared = join(folder, 'shared')
  return {
    prelude: readFileSync(join(folder, 'prelude.wgsl'), 'utf8'),
    files: textsByStem(folder, ['prelude.wgsl']),
    shared: {
      ...mapped(textsByStem(shared), (text) => ({ '': text })),
      ...mapped(foldersOf(shared), (family) => textsByStem(join(shared, family))),
    },
  }
}

const mapped = <A, B>(record: Record<string, A>, f: (a: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]))

const foldersOf = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => [name, name]),
  )

/** Texts of the WGSL files of a folder, in the order of their names. */
function textsByStem(folder: string, except: readonly string[] = []): Record<string, string> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl') && !except.includes(file))
  return Object.fromEntries(
    files.sort().map((file) => [basename(file, '.wgsl'), readFileSync(join(folder, file), 'utf8')]),
  )
}

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
    ...options,
  })
}

/** The library that the package loads. */
function dawnLibrary(): string {
  const { platform, arch } = process
  const entry = createRequire(import.meta.url).resolve('webgpu')
  return join(dirname(entry), 'dist', `${platform}-${arch}`, 'dawn.node')
}
