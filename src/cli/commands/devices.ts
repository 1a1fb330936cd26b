/** `devices`: what can run here, and why not. A device is opened to find out, and closed again. */
import { Command } from 'commander'
import type { Property } from '../../device/device.js'
import { openDevice } from '../../device/open.js'
import { addShared, type DeviceName, deviceNames, type SharedOptions } from '../options.js'
import { count, printResult, table } from '../output.js'

interface DeviceReport {
  name: DeviceName
  available: boolean
  /** Why it is not available, else null. */
  reason: string | null
  /** Processor or adapter, else null. */
  detail: string | null
  /** What else it is and can (the CPU's instruction sets, WebGPU), else null. */
  properties: Readonly<Record<string, Property>> | null
}

export function devicesCommand(): Command {
  const command = new Command('devices').description('what can run here, and why not')
  return addShared(command, 'json').action(run)
}

async function run({ json }: Pick<SharedOptions, 'json'>): Promise<void> {
  const devices: DeviceReport[] = []
  for (const name of deviceNames) devices.push(await report(name))
  printResult(json, { devices }, () =>
    [
      table(
        ['device', 'available', ''],
        devices.map((d) => [d.name, d.available ? 'yes' : 'no', d.detail ?? d.reason]),
      ),
      ...devices.flatMap(({ name, properties }) => (properties ? [propertyTable(name, properties)] : [])),
    ].join('\n\n'),
  )
}

function propertyTable(name: DeviceName, properties: Readonly<Record<string, Property>>): string {
  const rows = Object.entries(properties).flatMap(([property, value]) =>
    property === 'unused' ? unusedRows(value) : [[property, show(value)]],
  )
  return table(
    [name, ''],
    rows.filter(([, value]) => value !== ''),
  )
}

/** The faster instruction sets that a processor has, a line each, since their reasons are sentences. */
function unusedRows(unused: Property): string[][] {
  return Object.entries(unused).map(([isa, reason]) => [`${isa} is not used`, String(reason)])
}

function show(value: Property): string {
  if (typeof value === 'number') return count(value)
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.join(', ')
  return Object.entries(value)
    .map((pair) => pair.join('='))
    .join(', ')
}

async function report(name: DeviceName): Promise<DeviceReport> {
  try {
    const device = await openDevice(name, { measure: false })
    const { detail, properties = null } = device.info
    await device.destroy()
    return { name, available: true, reason: null, detail, properties }
  } catch (error) {
    return { name, available: false, reason: (error as Error).message, detail: null, properties: null }
  }
}
