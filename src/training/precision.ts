/** Which devices compute in which precision: asked in one place, before a program is made for one. */
import type { Device } from '../device/device.js'
import { UsageError } from '../error.js'
import type { Precision } from '../ops/shape.js'

/** Throws a UsageError where a device has no kernels for activations of f16, with what it has instead. */
export function refusePrecision(
  precision: Precision | undefined,
  device: Pick<Device, 'info' | 'supports'>,
): void {
  if (precision !== 'f16') return
  const { info } = device
  const has = (type: string) => device.supports(`linear_forward_${type}`)
  if (has('f16')) return
  throw new UsageError(
    `precision f16 is not there on ${info.name} (${info.detail}) (want ${has('bf16') ? 'bf16' : 'f32'})`,
  )
}
