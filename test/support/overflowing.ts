/**
 * A device on which gradients overflow as they do in f16, by f32 alone: where a loss is multiplied by more than `limit`, or as
 * `also` says, the backward pass begins with infinity.
 */
import type { Device } from '../../src/device/device.js'
import { GRADIENT_SCALE } from '../../src/training/loss_scale.js'

export type Overflow = (scalars: Readonly<Record<string, number>>) => boolean

export function overflowing(device: Device, limit: number, also: Overflow = () => false): Device {
  const overflows: Overflow = (scalars) => scalars[GRADIENT_SCALE] > limit || also(scalars)
  return new Proxy(device, {
    get(target, name) {
      if (name === 'run')
        return ((prepared, scalars) =>
          target.run(
            prepared,
            overflows(scalars) ? { ...scalars, [GRADIENT_SCALE]: Number.POSITIVE_INFINITY } : scalars,
          )) as Device['run']
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
