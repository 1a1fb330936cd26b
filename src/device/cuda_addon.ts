/** The typed door to the CUDA addon (native/cuda/addon.cc), and why it may be closed. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { cudaAddonFromEnvironment } from '../environment.js'
import { UsageError } from '../error.js'
import { packageRoot } from '../paths.js'
import type { Call } from './program.js'

declare const handle: unique symbol
export type CudaDeviceHandle = { readonly [handle]: 'device' }
export type CudaBufferHandle = { readonly [handle]: 'buffer' }
export type CudaProgramHandle = { readonly [handle]: 'program' }

export interface CudaAddon {
  /** Versions as 13000 for 13.0; a driver of 0 where there is none. `reason`: why there is no device, or empty. */
  devices(): {
    driver: number
    runtime: number
    reason: string
    devices: { name: string; capability: number; multiprocessors: number; bytes: number }[]
  }
  open(index: number): CudaDeviceHandle
  kernels(): { name: string; buffers: number; params: number }[]
  /** Bytes: free and in all on the GPU, of it what programs hold beside buffers, and pinned memory of the host. */
  memory(device: CudaDeviceHandle): { free: number; total: number; working: number; pinned: number }
  workingBytes(device: CudaDeviceHandle): number
  alloc(device: CudaDeviceHandle, bytes: number, label: string): CudaBufferHandle
  free(buffer: CudaBufferHandle): void
  write(buffer: CudaBufferHandle, offset: number, data: Uint8Array): Promise<void>
  read(buffer: CudaBufferHandle, offset: number, target: Uint8Array): Promise<void>
  prepare(
    device: CudaDeviceHandle,
    name: string,
    arenas: readonly CudaBufferHandle[],
    scalars: readonly string[],
    scalarIsFloat: Uint8Array,
    labels: readonly string[],
    code: Float64Array,
  ): CudaProgramHandle
  run(program: CudaProgramHandle, scalarBits: Uint32Array, timeline: boolean): Promise<Float64Array>
  sync(device: CudaDeviceHandle): Promise<void>
  close(handle: CudaDeviceHandle | CudaProgramHandle): void
}

/** What the emulated addon has beside it, for tests. */
export interface EmulatedCudaAddon extends CudaAddon {
  /** The `count`-th call from now of a function of the CUDA runtime gives that error; `kernel` is a launch, which loses the device. */
  failCall(name: string, count: number, code: number): void
  /** The order in which threads and blocks run is drawn from it. */
  setSeed(seed: number): void
  /** What all devices of the process have not given back: bytes, and streams, events and graphs. */
  held(): { device: number; pinned: number; objects: number }
}

const addons = new Map<boolean, CudaAddon>()

/** Where the build leaves the addon. */
export function cudaAddonFile(emulated: boolean): string {
  const folder = join(packageRoot, 'native', 'cuda', emulated ? 'build-emulated' : 'build', 'Release')
  return join(folder, emulated ? 'bioalbert_cuda_emulated.node' : 'bioalbert_cuda.node')
}

/** Loads the addon once. Throws a UsageError that says what is missing. */
export function loadCudaAddon(emulated: false): CudaAddon
export function loadCudaAddon(emulated: true): EmulatedCudaAddon
export function loadCudaAddon(emulated: boolean): CudaAddon
export function loadCudaAddon(emulated: boolean): CudaAddon {
  const known = addons.get(emulated)
  if (known) return known
  const [name, script] = emulated ? ['cuda-emulated', 'build:cuda-emulated'] : ['cuda', 'build:cuda']
  const file = cudaAddonFromEnvironment() ?? cudaAddonFile(emulated)
  const build = `\`npm run ${script}\` in ${packageRoot}${emulated ? '' : ', which wants the CUDA toolkit'}`
  if (!existsSync(file)) throw unavailable(name, `its addon is not built (${build})`)
  try {
    const addon = createRequire(import.meta.url)(file) as CudaAddon
    addons.set(emulated, addon)
    return addon
  } catch (error) {
    throw unavailable(name, `its addon does not load (${(error as Error).message}); build it anew: ${build}`)
  }
}

export function unavailable(name: string, why: string): UsageError {
  return new UsageError(`the ${name} device is not available: ${why}`)
}

/** `13000` as `13.0`. */
export function cudaVersion(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`
}

/** What an error says of a call: `linear_forward ffn [x 4096, weight 9216, y 4096 bytes; rows <= 128, in 96]`. */
export function describeCall({ kernel, label, refs, params }: Call): string {
  const buffers = refs.map((r, i) => `${kernel.buffers[i]?.name ?? i} ${r.bytes}`).join(', ')
  const sizes = params.map((value, i) => {
    const name = kernel.params[i]?.name ?? i
    if (typeof value === 'number') return `${name} ${value}`
    const { scalar, times, capacity } = value
    return capacity === undefined ? `${name} ${times} x ${scalar}` : `${name} <= ${times * capacity}`
  })
  return `${label} [${buffers} bytes${sizes.length > 0 ? `; ${sizes.join(', ')}` : ''}]`
}
