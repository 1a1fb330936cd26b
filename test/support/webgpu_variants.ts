/** The WebGPU device with given variants of shared WGSL code, whatever an adapter would get. */
import type { Device } from '../../src/device/device.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { openWebgpuInNode } from '../../src/device/webgpu/node.js'
import type { Variants } from '../../src/device/webgpu/source.js'
import { kernelSources } from '../../src/device/webgpu/wgsl_node.js'

/** Variants of a family, by name. */
export function variantsOf(family: string): string[] {
  return Object.keys(kernelSources().shared[family])
}

/** Opens the default adapter. Throws a UsageError where there is none, or it cannot run a variant. */
export function openVariants(variants: Variants): Promise<WebgpuDevice> {
  return openWebgpuInNode({ variants })
}

/** The variant of a family that a device has chosen; undefined where its adapter runs but one. */
export function variantInUse({ info }: Device, family: string): string | undefined {
  const { [family]: variant } = (info.properties?.variants ?? {}) as Partial<Variants>
  return variant
}
