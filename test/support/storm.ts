/**
 * A process in which devices end badly again and again, in workers and in the main thread, while the main thread's own
 * device goes on and every result of it is checked. test/device/worker_storm.test.ts starts it:
 *
 *   node storm.js storm SEED WORKERS   ends by itself, last line `N workers, N ended devices, N checks`
 *   node storm.js lonely SEED WORKERS  likewise, but only workers have devices
 *   node storm.js exit SEED STATUS     ends in the middle of runs, by process.exit
 *   node storm.js throw SEED           ends in the middle of runs, by an exception that nobody catches
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Random, random } from './random.js'
import { makeNumbers, type Numbers, Victim } from './storm_case.js'
import { closeUnderRun, leftBehind, openAny, openSteady } from './storm_device.js'
import { isCuda, share } from './storm_kind.js'
import { type Ending, endings, statusOf, type WorkerData } from './storm_worker.js'

const [mode, seed, argument = '0'] = process.argv.slice(2)
const rng = random(Number(seed))
const numbers = makeNumbers(rng)
/** Untouched memory costs nothing, and is missed when it does not come back. */
const ballast = isCuda ? 2 ** 24 : 2 ** 28
const atOnce = 3

async function storm(count: number, isMainBusy: boolean): Promise<void> {
  // every way to end has been there once before anything is measured: threads of libuv and of V8 are started
  for (const ending of endings) await oneWorker(ending, rng.integer(2 ** 31))
  const before = usage()
  const main = isMainBusy ? new MainThread() : undefined
  let started = 0
  const chain = async () => {
    while (started < count) await oneWorker(endings[started++ % endings.length], rng.integer(2 ** 31))
  }
  await Promise.all(Array.from({ length: atOnce }, chain))
  await main?.end()
  await settled(before, count)
  console.log(`${count} workers, ${main?.ended ?? 0} ended devices, ${main?.checks ?? 0} checks`)
}

/** Starts a worker and waits for its end, which it may be helped to; throws when it ends in another way than it should. */
async function oneWorker(ending: Ending, workerSeed: number): Promise<void> {
  const moments = random(workerSeed)
  const workerData: WorkerData = {
    seed: moments.integer(2 ** 31),
    ending,
    status: moments.integer(2, 100),
    numbers,
    ballast,
  }
  const worker = new Worker(fileURLToPath(new URL('storm_worker.js', import.meta.url)), { workerData })
  let wrong: string | undefined
  let problem = ''
  let isBusy = false
  const isForced = ending.startsWith('terminate')
  // some while they load the addon or open their devices
  if (isForced && moments.integer(4) === 0) setTimeout(() => worker.terminate(), moments.integer(150))
  worker.on('message', (message: 'busy' | { wrong: string }) => {
    if (message !== 'busy') wrong ??= message.wrong
    else isBusy = true
    if (isBusy && isForced) setTimeout(() => worker.terminate(), moments.integer(60))
  })
  worker.on('error', (error) => {
    problem = error.message
  })
  const status = await new Promise<number>((resolve) => worker.on('exit', resolve))
  const isOnPurpose = problem === '' || problem.endsWith('on purpose')
  // Node gives 0 to a worker that is terminated before it has begun
  const isExpected = status === statusOf(workerData) || (isForced && !isBusy && status === 0)
  if (wrong === undefined && isOnPurpose && isExpected) return
  throw new Error(
    `a worker of seed ${workerSeed} that should end by ${ending} with ${statusOf(workerData)} ended with ${status}: ${wrong ?? problem}`,
  )
}

/** The main thread's own device, which must go on, and others beside it that end as those of workers do. */
class MainThread {
  checks = 0
  ended = 0
  private isOver = false
  private readonly going: Promise<unknown>[]
  private readonly device = openSteady()

  constructor() {
    this.going = [this.goOn(), this.endOthers(random(rng.integer(2 ** 31)))]
  }

  private async goOn(): Promise<void> {
    const steady = new Victim(this.device, numbers, 30)
    const own = random(1)
    while (!this.isOver) {
      await steady.burst(own)
      this.checks++
    }
  }

  private async endOthers(own: Random): Promise<void> {
    while (!this.isOver) {
      await endOne(own, numbers)
      this.ended++
      await after(own.integer(20))
    }
  }

  async end(): Promise<void> {
    this.isOver = true
    await Promise.all(this.going)
    await this.device.destroy()
  }
}

async function endOne(own: Random, given: Numbers): Promise<void> {
  if (own.integer(4) === 0) return closeUnderRun(given, own)
  const device = openAny(own)
  const victim = new Victim(device, given, own.integer(1, 60))
  const burst = victim.burst(own)
  switch (own.integer(4)) {
    case 0:
      await burst
      return device.destroy()
    case 1:
      void device.destroy()
      return burst
    case 2:
      void device.destroy()
      await Promise.all([burst, device.destroy()])
      // a device that is gone says so
      return victim.run().then(
        () => Promise.reject(new Error('a destroyed device ran')),
        () => undefined,
      )
    default:
      // dropped: the garbage collector ends it
      return burst
  }
}

interface Usage {
  readonly threads: number
  /** Threads that may run on one processor only. */
  readonly bound: number
  /** Bytes of address space. */
  readonly bytes: number
}

/** What this process holds; undefined without /proc. */
function usage(): Usage | undefined {
  const self = '/proc/self'
  if (!existsSync(`${self}/task`)) return undefined
  const masks = readdirSync(`${self}/task`).map(
    (id) => /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`${self}/task/${id}/status`, 'utf8'))?.[1] ?? '',
  )
  const bound = masks.filter((mask) => /^\d+$/.test(mask)).length
  const pages = Number(readFileSync(`${self}/statm`, 'utf8').split(' ')[0])
  return { threads: masks.length, bound, bytes: pages * 4096 }
}

/** Waits until everything that ended has given back threads and memory; throws when it has not. */
async function settled(before: Usage | undefined, workers: number): Promise<void> {
  if (before === undefined) return
  let now = before
  for (let i = 0; i < 50; i++) {
    ;(globalThis as { gc?: () => void }).gc?.()
    await after(20)
    now = usage() ?? before
    if (now.threads <= before.threads) break
  }
  const left = leftBehind()
  if (left !== undefined) throw new Error(`devices left behind ${left}`)
  if (now.threads > before.threads)
    throw new Error(`${now.threads} threads at the end, ${before.threads} before: pools were not joined`)
  if (now.bound > before.bound) throw new Error(`${now.bound} threads are bound to a core at the end`)
  // memory of an emulated GPU lies in one region, and is counted above
  if (isCuda) return
  const kept = now.bytes - before.bytes
  if (kept > (workers * ballast) / 4)
    throw new Error(`${Math.round(kept / 2 ** 20)} MiB of address space were not given back`)
}

async function end(status: number | undefined): Promise<void> {
  // runs long enough that the end comes in the middle of them; it waits for what is under way
  const repeats = Math.ceil(2000 * share)
  const victims = Array.from({ length: 2 }, () => new Victim(openSteady(), numbers, repeats))
  for (const victim of victims) {
    void victim.write()
    void victim.run()
    void victim.timeline()
  }
  const workers = rng.integer(3)
  for (let i = 0; i < workers; i++) {
    const workerData: WorkerData = { seed: i, ending: 'terminate', status: 0, numbers, ballast }
    const worker = new Worker(fileURLToPath(new URL('storm_worker.js', import.meta.url)), { workerData })
    await new Promise((resolve) => worker.once('message', resolve))
  }
  if (rng.integer(3) > 0) await after(rng.integer(80))
  if (status === undefined) throw new Error('thrown on purpose')
  process.exit(status)
}

if (mode === 'storm') await storm(Number(argument), true)
else if (mode === 'lonely') await storm(Number(argument), false)
else await end(mode === 'exit' ? Number(argument) : undefined)
