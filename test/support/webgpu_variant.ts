/** The WebGPU device with one variant of some families of shared code, whatever is chosen for the adapter. */
import type { Device } from '../../src/device/device.js'
import { openWebgpu } from '../../src/device/webgpu.js'
import { kernelSources } from '../../src/device/wgsl_node.js'

/** Variants of a family, by name. */
export function variantsOf(family: string): string[] {
  return Object.keys(kernelSources().shared[family])
}

/** Opens the default adapter with the variant of every family named. */
export async function openWebgpuVariant(variants: Readonly<Record<string, string>>): Promise<Device> {
  const { create } = await import('webgpu')
  const sources = kernelSources()
  const shared = { ...sources.shared }
  for (const [family, variant] of Object.entries(variants))
    shared[family] = { [variant]: shared[family][variant] }
  return openWebgpu(create([]), { ...sources, shared })
}
