/** The WebGPU device with given variants of shared WGSL code, whatever an adapter would get. */
import type { Device } from '../../src/device/device.js'
import { openWebgpu } from '../../src/device/webgpu.js'
import { type KernelSources, type Variants, variantFeatures } from '../../src/device/webgpu_source.js'
import { kernelSources } from '../../src/device/wgsl_node.js'

/** Kernel sources in which families that are named have that variant alone. */
export function withVariants(sources: KernelSources, variants: Variants): KernelSources {
  const shared = { ...sources.shared }
  for (const [family, variant] of Object.entries(variants)) {
    if (shared[family]?.[variant] === undefined)
      throw new Error(`there is no variant ${variant} of ${family}`)
    shared[family] = { [variant]: shared[family][variant] }
  }
  return { ...sources, shared }
}

/** Opens the default adapter, with the features that the variants want. Throws where there is no such adapter. */
export async function openVariants(variants: Variants): Promise<Device> {
  const { create } = await import('webgpu')
  const gpu = create(['disable-dawn-features=timestamp_quantization'])
  const sources = withVariants(kernelSources(), variants)
  const features = Object.values(sources.shared).flatMap((family) =>
    Object.values(family).slice(0, 1).flatMap(variantFeatures),
  ) as GPUFeatureName[]
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = await gpu.requestAdapter(options)
    if (!adapter) return null
    const missing = features.filter((feature) => !adapter.features.has(feature))
    if (missing.length > 0) throw new Error(`the adapter has no ${missing.join(', ')}`)
    const requestDevice = adapter.requestDevice.bind(adapter)
    adapter.requestDevice = (descriptor) =>
      requestDevice({
        ...descriptor,
        requiredFeatures: [...new Set([...(descriptor?.requiredFeatures ?? []), ...features])],
      })
    return adapter
  }
  // `gpu` is held by the device through this object: Dawn in Node ends with the last reference to it
  return openWebgpu({ requestAdapter, held: gpu } as unknown as GPU, sources)
}
