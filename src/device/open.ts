/** Opens a device by name, and tells which there are. */
import { UsageError } from '../error.js'
import { type CpuOptions, openCpu } from './cpu.js'
import { openCuda } from './cuda.js'
import type { Device, DeviceChoice } from './device.js'

export interface OpenOptions extends CpuOptions {
  /** WebGPU: hears how many kernels are compiled, of those that programs asked for since all before them were. */
  readonly compiling?: (done: number, total: number) => void
  /** WebGPU: whether to measure which variants of kernels are fastest, where that is not known yet (default true). */
  readonly measure?: boolean
}

/** Opens a device. Throws a UsageError with the reason when it is not to be had. */
export async function openDevice(name: DeviceChoice, options: OpenOptions = {}): Promise<Device> {
  switch (name) {
    case 'cpu':
      return openCpu(options)
    case 'webgpu':
      return (await import('./webgpu/node.js')).openWebgpuInNode({
        compiling: options.compiling,
        measure: options.measure,
      })
    case 'cuda':
      return openCuda()
    case 'cuda-emulated':
      return openCuda({ emulated: true })
  }
  const index = /^cuda:(\d{1,4})$/.exec(name)?.[1]
  if (index === undefined)
    throw new UsageError(`there is no device ${name} (want cpu, webgpu, cuda, or cuda:1 for the second GPU)`)
  return openCuda({ index: Number(index) })
}
