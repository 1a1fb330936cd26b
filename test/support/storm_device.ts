/** What a storm (storm.ts) does with the device that it is about, through its contract and through the bare addon. */
import { encodeProgram, loadAddon } from '../../src/device/addon.js'
import { openCpu } from '../../src/device/cpu.js'
import { openCuda } from '../../src/device/cuda.js'
import { loadCudaAddon } from '../../src/device/cuda_addon.js'
import type { Device } from '../../src/device/device.js'
import { calls, type Program } from '../../src/device/program.js'
import type { Random } from './random.js'
import { bytes, type Numbers, stormProgram } from './storm_case.js'
import { isCuda } from './storm_kind.js'

/** Device options that take turns through all: fewer threads than cores and more, bound and not. */
function randomOptions(rng: Random): { threads: number; pin: boolean } {
  return { threads: rng.pick([1, 2, 2, 3]), pin: rng.integer(2) === 0 }
}

/** One of the devices that can be had. */
export function openAny(rng: Random): Device {
  return isCuda ? openCuda({ emulated: true }) : openCpu(randomOptions(rng))
}

/** One to go on with. */
export function openSteady(): Device {
  return isCuda ? openCuda({ emulated: true }) : openCpu({ threads: 2 })
}

/** What is not as it was before all devices ended; undefined if all is. */
export function leftBehind(): string | undefined {
  if (!isCuda) return undefined
  const held = loadCudaAddon(true).held()
  return Object.values(held).some((n) => n > 0) ? JSON.stringify(held) : undefined
}

/** Everything that a run uses is closed while it is under way; it ends well, and what comes later is refused. */
async function closeCpuUnderRun({ operands }: Numbers, rng: Random): Promise<void> {
  const addon = loadAddon()
  const { threads, pin } = randomOptions(rng)
  const engine = addon.open('generic', threads, pin)
  const index = new Map(addon.kernels(engine).map((k, i) => [k.name, i]))
  const buffer = addon.alloc(bytes, 'storm')
  addon.write(buffer, 0, new Uint8Array(operands.buffer, operands.byteOffset, operands.byteLength))
  const repeats = rng.integer(1, 60)
  const code = encodeProgram(stormProgram(repeats), index)
  const program = addon.prepare(engine, [buffer], new Uint8Array(0), code)
  const run = addon.run(program, new Uint32Array(0), true)
  const closers = [
    () => addon.close(engine),
    () => addon.close(engine),
    () => addon.close(program),
    () => addon.free(buffer),
  ]
  for (const i of rng.permutation(closers.length)) closers[i]()
  const events = await run
  if (events.length !== 4 * (1 + 2 * repeats)) throw new Error('a run that was closed has another timeline')
  mustSayClosed([
    () => addon.run(program, new Uint32Array(0), false),
    () => addon.read(buffer, 0, new Uint8Array(4)),
    () => addon.kernels(engine),
  ])
}

/** Calls of the addon one after the other, so that the end comes in the middle of one. */
function callCpuForever(rng: Random): never {
  const addon = loadAddon()
  for (;;) {
    addon.processor()
    const engine = addon.open('generic', 2, true)
    const index = new Map(addon.kernels(engine).map((k, i) => [k.name, i]))
    const buffer = addon.alloc(bytes, 'storm')
    const program = addon.prepare(
      engine,
      [buffer],
      new Uint8Array(0),
      encodeProgram(stormProgram(rng.integer(1, 20)), index),
    )
    addon.read(buffer, 0, new Uint8Array(bytes))
    void addon.run(program, new Uint32Array(0), true)
    try {
      addon.read(buffer, bytes, new Uint8Array(4))
    } catch {
      // refused, as it should be
    }
    if (rng.integer(2) === 0) addon.close(engine)
    addon.free(buffer)
  }
}

/** As `closeCpuUnderRun`; a run that had not begun when its device was closed says so. */
async function closeCudaUnderRun({ operands }: Numbers, rng: Random): Promise<void> {
  const addon = loadCudaAddon(true)
  const device = addon.open(0)
  const buffer = addon.alloc(device, bytes, 'storm')
  const data = new Uint8Array(operands.buffer, operands.byteOffset, operands.byteLength)
  const repeats = rng.integer(1, 60)
  const program = prepareCuda(stormProgram(repeats), device, buffer)
  const asked = [
    addon.write(buffer, 0, data),
    addon.run(program, new Uint32Array(0), true),
    addon.sync(device),
  ]
  const closers = [
    () => addon.close(device),
    () => addon.close(device),
    () => addon.close(program),
    () => addon.free(buffer),
  ]
  for (const i of rng.permutation(closers.length)) closers[i]()
  const [, events] = await Promise.all(asked)
  if ((events as Float64Array).length !== 4 * (1 + 2 * repeats))
    throw new Error('a run that was closed has another timeline')
  mustSayClosed([
    () => addon.run(program, new Uint32Array(0), false),
    () => addon.read(buffer, 0, new Uint8Array(4)),
    () => addon.memory(device),
  ])
}

type CudaAddon = ReturnType<typeof loadCudaAddon>

function prepareCuda(
  program: Program,
  device: ReturnType<CudaAddon['open']>,
  buffer: ReturnType<CudaAddon['alloc']>,
): ReturnType<CudaAddon['prepare']> {
  const addon = loadCudaAddon(true)
  const index = new Map(addon.kernels().map((k, i) => [k.name, i]))
  const code = encodeProgram(program, index, { capacities: true })
  const labels = Array.from(calls(program), (call) => call.label)
  return addon.prepare(device, program.name, [buffer], [], new Uint8Array(0), labels, code)
}

function callCudaForever(rng: Random): never {
  const addon = loadCudaAddon(true)
  for (;;) {
    addon.devices()
    const device = addon.open(0)
    const buffer = addon.alloc(device, bytes, 'storm')
    const program = prepareCuda(stormProgram(rng.integer(1, 20)), device, buffer)
    void addon.write(buffer, 0, new Uint8Array(bytes))
    void addon.run(program, new Uint32Array(0), true)
    void addon.read(buffer, 0, new Uint8Array(bytes))
    try {
      void addon.read(buffer, bytes, new Uint8Array(4))
    } catch {
      // refused, as it should be
    }
    if (rng.integer(2) === 0) addon.free(buffer)
    addon.close(device)
  }
}

export const closeUnderRun = isCuda ? closeCudaUnderRun : closeCpuUnderRun
export const callForever: (rng: Random) => never = isCuda ? callCudaForever : callCpuForever

/** Throws unless each call is refused because something was closed. */
function mustSayClosed(calls: readonly (() => unknown)[]): void {
  for (const call of calls) {
    let message = 'no error'
    try {
      call()
    } catch (error) {
      message = (error as Error).message
    }
    if (!message.includes('closed')) throw new Error(`a closed handle gave: ${message}`)
  }
}
