/** The device of the worker: opened when it is first wanted. */
import type { Device } from '../device/device.js'
import { UserError } from '../error.js'
import type { Tell } from './port.js'
import type { DeviceFacts } from './protocol.js'

/** Opens a device that tells how many of the kernels that it has been asked for are compiled. */
export type OpenDevice = (compiling: (done: number, total: number) => void) => Promise<Device>

export class DeviceHolder {
  private opened?: Promise<Device>
  private tell?: Tell

  constructor(private readonly open: OpenDevice) {}

  /**
   * The device; `tell` hears from now on of the kernels that it compiles. Throws a UserError with the reason where there is none; the
   * next call tries again.
   */
  get(tell?: Tell): Promise<Device> {
    if (tell) this.tell = tell
    const compiling = (done: number, total: number) => this.tell?.({ kind: 'compiling', done, total })
    this.opened ??= this.open(compiling).catch((error) => {
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
