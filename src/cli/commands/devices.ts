/** `devices`: what can run here, and why not. A device is opened to find out, and closed again. */
import { Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { addShared, type DeviceName, deviceNames, type SharedOptions } from '../options.js'
import { printResult, table } from '../output.js'

interface DeviceReport {
  name: DeviceName
  available: boolean
  /** Why it is not available, else null. */
  reason: string | null
  /** Processor or adapter, else null. */
  detail: string | null
}

export function devicesCommand(): Command {
  const command = new Command('devices').description('what can run here, and why not')
  return addShared(command, 'json').action(run)
}

async function run({ json }: Pick<SharedOptions, 'json'>): Promise<void> {
  const devices: DeviceReport[] = []
  for (const name of deviceNames) devices.push(await report(name))
  printResult(json, { devices }, () =>
    table(
      ['device', 'available', ''],
      devices.map((d) => [d.name, d.available ? 'yes' : 'no', d.detail ?? d.reason]),
    ),
  )
}

async function report(name: DeviceName): Promise<DeviceReport> {
  try {
    const device = await openDevice(name)
    const { detail } = device.info
    await device.destroy()
    return { name, available: true, reason: null, detail }
  } catch (error) {
    return { name, available: false, reason: (error as Error).message, detail: null }
  }
}
