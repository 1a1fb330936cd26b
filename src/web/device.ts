/** The device of the worker: opened when it is first wanted. */
import type { Device } from '../device/device.js'
import { UserError } from '../error.js'
import type { DeviceFacts } from './protocol.js'

export class DeviceHolder {
  private opened?: Promise<Device>

  constructor(private readonly open: () => Promise<Device>) {}

  /** The device. Throws a UserError with the reason where there is none; the next call tries again. */
  get(): Promise<Device> {
    this.opened ??= this.open().catch((error) => {
      this.opened = undefined
      throw error
    })
    return this.opened
  }

  async facts(): Promise<DeviceFacts> {
    try {
      return { available: true, detail: (await this.get()).info.detail }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return { available: false, detail: error.message }
    }
  }
}
