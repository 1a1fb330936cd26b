/** Opens a device by name, and tells which there are. */
import { UsageError } from '../error.js'
import { type CpuOptions, openCpu } from './cpu.js'
import type { Device, DeviceName } from './device.js'

export type OpenOptions = CpuOptions

/** Opens a device. Throws a UsageError with the reason when it is not to be had. */
export async function openDevice(name: DeviceName, options: OpenOptions = {}): Promise<Device> {
  switch (name) {
    case 'cpu':
      return openCpu(options)
    case 'webgpu':
      return (await import('./webgpu_node.js')).openWebgpuInNode()
    case 'cuda':
      throw new UsageError('the cuda device is not built')
  }
}
