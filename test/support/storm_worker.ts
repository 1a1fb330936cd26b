/**
 * A worker thread of storm.ts. It opens devices, keeps them busy and ends in the way that it was told, at a random moment.
 * It posts `busy` once work is under way, and every wrong result as a message of its own.
 */
import { setTimeout as after } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { encodeProgram, loadAddon } from '../../src/device/addon.js'
import { openCpu } from '../../src/device/cpu.js'
import { type Random, random } from './random.js'
import { bytes, type Numbers, stormProgram, Victim } from './storm_case.js'

export const endings = [
  'exit',
  'throw',
  'reject',
  'return',
  'destroy',
  'destroy twice',
  'close under a run',
  'terminate',
  'terminate in calls',
] as const
export type Ending = (typeof endings)[number]

export interface WorkerData {
  readonly seed: number
  readonly ending: Ending
  /** The status of `exit`. */
  readonly status: number
  readonly numbers: Numbers
  /** Bytes that are allocated and left behind. */
  readonly ballast: number
}

/** The status with which a worker ends; 1 is what Node gives to all that end by force. */
export function statusOf({ ending, status }: WorkerData): number {
  if (ending === 'exit') return status
  return ['throw', 'reject', 'terminate', 'terminate in calls'].includes(ending) ? 1 : 0
}

/** Device options that take turns through all: fewer threads than cores and more, bound and not. */
export function randomOptions(rng: Random): { threads: number; pin: boolean } {
  return { threads: rng.pick([1, 2, 2, 3]), pin: rng.integer(2) === 0 }
}

if (parentPort !== null && workerData?.ending !== undefined) await work(workerData as WorkerData)

async function work({ seed, ending, status, numbers, ballast }: WorkerData): Promise<void> {
  const rng = random(seed)
  const victims = Array.from({ length: rng.integer(1, 3) }, () => {
    const device = openCpu(randomOptions(rng))
    device.alloc(ballast, 'ballast')
    return new Victim(device, numbers, rng.integer(1, 150))
  })
  let ended = false
  const fail = (error: unknown) => parentPort!.postMessage({ wrong: (error as Error).message })
  const keepBusy = async (victim: Victim) => {
    // a device that is destroyed refuses what comes after
    while (!ended) await victim.burst(rng).catch((error) => ended || fail(error))
  }
  const busy = victims.map(keepBusy)
  parentPort!.postMessage('busy')
  await after(rng.integer(25))
  const [{ device }] = victims
  switch (ending) {
    case 'exit':
      return process.exit(status)
    case 'throw':
      setImmediate(() => {
        throw new Error('thrown on purpose')
      })
      return
    case 'reject':
      void Promise.reject(new Error('rejected on purpose'))
      return
    case 'return':
      ended = true
      return
    case 'destroy':
      ended = true
      await Promise.all(victims.map((victim) => victim.device.destroy()))
      await Promise.all(busy)
      return
    case 'destroy twice':
      ended = true
      void device.destroy()
      await device.destroy()
      return
    case 'close under a run':
      ended = true
      return closeUnderRun(numbers, rng)
    case 'terminate':
      return
    case 'terminate in calls':
      return callForever(rng)
  }
}

/** Everything that a run uses is closed while it is under way; it ends well, and what comes later is refused. */
export async function closeUnderRun({ operands }: Numbers, rng: Random): Promise<void> {
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
  for (const refused of [
    () => addon.run(program, new Uint32Array(0), false),
    () => addon.read(buffer, 0, new Uint8Array(4)),
    () => addon.kernels(engine),
  ]) {
    let message = 'no error'
    try {
      refused()
    } catch (error) {
      message = (error as Error).message
    }
    if (!message.includes('closed')) throw new Error(`a closed handle gave: ${message}`)
  }
}

/** Calls of the addon one after the other, so that the end comes in the middle of one. */
function callForever(rng: Random): never {
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
