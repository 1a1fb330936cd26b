/**
 * A worker thread of storm.ts. It opens devices, keeps them busy and ends in the way that it was told, at a random moment.
 * It posts `busy` once work is under way, and every wrong result as a message of its own.
 */
import { setTimeout as after } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { random } from './random.js'
import { type Numbers, Victim } from './storm_case.js'
import { callForever, closeUnderRun, openAny } from './storm_device.js'

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

if (parentPort !== null && workerData?.ending !== undefined) await work(workerData as WorkerData)

async function work({ seed, ending, status, numbers, ballast }: WorkerData): Promise<void> {
  const rng = random(seed)
  const victims = Array.from({ length: rng.integer(1, 3) }, () => {
    const device = openAny(rng)
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
