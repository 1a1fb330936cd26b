/** Which devices compute in which precision: asked in one place, before a program is made for one. */
import type { Device } from '../device/device.js'
import { HALF_TYPES, inHalf } from '../device/kernel.js'
import { UsageError } from '../error.js'
import { linear } from '../ops/linear.js'
import { isHalf, type Precision } from '../ops/shape.js'

/** Throws a UsageError where a device has no kernels for activations of bf16 or f16, with what it has instead. */
export function refusePrecision(
  precision: Precision | undefined,
  device: Pick<Device, 'info' | 'supports'>,
): void {
  if (precision === undefined || !isHalf(precision)) return
  const [has, ...others] = [precision, ...HALF_TYPES].map(
    (type) => device.supports(inHalf(linear.forward, type).name) && type,
  )
  if (has) return
  const { name, detail } = device.info
  const other = others.find((type) => type) ?? 'f32'
  throw new UsageError(`precision ${precision} is not there on ${name} (${detail}) (want ${other})`)
}
