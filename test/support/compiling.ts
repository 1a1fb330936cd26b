/** A device whose programs are being compiled until `ready` is settled. */
import type { Device } from '../../src/device/device.js'

export function compiling(device: Device, ready: Promise<void>): Device {
  return new Proxy(device, {
    get(target, name) {
      if (name === 'prepare')
        return ((program, arenas) =>
          Object.assign(target.prepare(program, arenas), { ready })) as Device['prepare']
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
