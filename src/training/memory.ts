/** Memory of a run against what the machine or its GPU has left, before anything is allocated. */
import { freemem } from 'node:os'
import type { Device, DeviceChoice } from '../device/device.js'
import { UserError } from '../error.js'
import type { MemoryPlan } from '../graph/runtime.js'

/**
 * Bytes that this process can still take: what the machine or the process's control group leaves, the lesser.
 * Undefined where that cannot be known: without /proc, say in a jail, 0 bytes are reported.
 */
export function availableMemory(): number | undefined {
  const known = process as { availableMemory?: () => number }
  return (known.availableMemory?.() ?? freemem()) || undefined
}

/** What a person hears in place of figures where that is so. */
export const UNKNOWN_MEMORY = 'how much memory is free cannot be known here (0 bytes are reported)'

/** Whether a device's buffers lie in memory of its own, whatever the machine has, or may do so: it tells once it is open. */
export function hasOwnMemory(device: DeviceChoice): boolean {
  return device.startsWith('cuda') || device === 'webgpu'
}

/**
 * Refuses a run whose native memory does not fit the device, with the figures; without a device, the machine. Where free
 * memory is unknown no run is refused.
 */
export function refuseTooLarge(
  plan: MemoryPlan,
  device?: Pick<Device, 'bytes' | 'available' | 'isMemoryUnknown'>,
  available = device?.available ?? availableMemory(),
): void {
  if (device?.isMemoryUnknown) return
  // what a device of its own memory holds already is not free there
  const working = device?.available === undefined ? (device?.bytes ?? 0) : 0
  const need = plan.totalBytes + working
  if (available === undefined || need <= available) return
  throw new UserError(
    `not enough memory: the run needs ${gib(need)} (parameters ${gib(plan.parameterBytes)}, gradients and moments ` +
      `${gib(plan.gradientBytes + plan.optimizerBytes)}, activations ${gib(plan.activationBytes)}), ` +
      `${gib(available)} are available; fewer --rows or --recompute need less`,
  )
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`
}
