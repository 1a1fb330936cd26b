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
