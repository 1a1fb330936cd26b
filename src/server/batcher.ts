/**
 * Continuous batching: requests that wait while the device works are the next batch, up to its rows, so that nobody waits for
 * a batch to fill when the device is free. The oldest goes first; a request gives at most a quarter of a batch while others
 * wait, so that a long text lets short ones by. Kernels give a sequence the same bits whatever else is in its batch.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Example } from '../model/head.js'

/** Runs examples on a device, in one batch where they fit: `Predictor`. */
export interface BatchRunner {
  logits(examples: readonly Example[]): Promise<Float32Array[]>
}

/** The device fails whatever it is given. */
export class DeviceLost extends Error {
  override name = 'DeviceLost'
  constructor(cause: unknown) {
    super(`the device gives no more results: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

export interface BatcherOptions {
  /** Pieces of a batch. */
  readonly rows: number
  /** Milliseconds that a batch which is not full waits for more; 0: none. */
  readonly waitMs?: number
  /** An example that ran once: whether it still does tells a fault of the device from one of the data. */
  readonly probe?: Example
  readonly onBatch?: (batch: { requests: number; pieces: number; seconds: number }) => void
  /** The device gives no more results; all that waits has been rejected. */
  readonly onLost?: (error: DeviceLost) => void
}

/** A request as far as the device has to do with it. */
interface Job {
  readonly examples: readonly Example[]
  readonly logits: Float32Array[]
  readonly arrived: number
  /** Examples that are in no batch yet: from this one on. */
  next: number
  /** Examples without an answer. */
  left: number
  settled: boolean
  resolve(logits: Float32Array[]): void
  reject(error: unknown): void
}

interface Part {
  readonly job: Job
  readonly e: number
}

interface Done {
  readonly parts: readonly Part[]
  readonly logits: readonly Float32Array[]
}

export class Batcher {
  private queue: Job[] = []
  private working = false
  private lost: DeviceLost | undefined
  private pieces = 0
  private rate = 0

  constructor(
    private readonly runner: BatchRunner,
    private readonly options: BatcherOptions,
  ) {}

  /** Pieces that are in no batch yet. */
  get waitingPieces(): number {
    return this.pieces
  }

  /** Pieces a second of late; 0 before the first batch. */
  get piecesPerSecond(): number {
    return this.rate
  }

  /** Logits of the examples. Rejects with the signal's reason, and no batch has what is left then. */
  logits(examples: readonly Example[], signal?: AbortSignal): Promise<Float32Array[]> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.lost) return Promise.reject(this.lost)
    if (examples.length === 0) return Promise.resolve([])
    const longest = examples.reduce((n, { ids }) => Math.max(n, ids.length), 0)
    if (longest > this.options.rows)
      return Promise.reject(
        new RangeError(`an example has ${longest} pieces (want ${this.options.rows} at most)`),
      )
    return new Promise((resolve, reject) => {
      const drop = () => this.fail(job, signal?.reason)
      const job: Job = {
        examples,
        logits: new Array(examples.length),
        arrived: performance.now(),
        next: 0,
        left: examples.length,
        settled: false,
        resolve(logits) {
          signal?.removeEventListener('abort', drop)
          resolve(logits)
        },
        reject(error) {
          signal?.removeEventListener('abort', drop)
          reject(error)
        },
      }
      signal?.addEventListener('abort', drop, { once: true })
      this.queue.push(job)
      this.pieces += piecesFrom(job)
      if (!this.working) void this.work()
    })
  }

  private async work(): Promise<void> {
    this.working = true
    // what has arrived with it is in the same batch
    await setImmediate()
    let done: Done | undefined
    while (!this.lost) {
      if (this.options.waitMs) {
        if (done) deliver(done)
        done = undefined
        await this.fill(this.options.waitMs)
      }
      const parts = this.take()
      const running = parts.length > 0 ? this.run(parts) : undefined
      // answers go out while the device works on the next batch
      if (done) deliver(done)
      done = undefined
      if (running === undefined && this.queue.length === 0) break
      done = await running
    }
    if (done) deliver(done)
    this.working = false
  }

  /** With `waitMs`: until a batch is full, or its oldest has waited so long. */
  private async fill(waitMs: number): Promise<void> {
    while (this.queue.length > 0 && this.pieces < this.options.rows) {
      const left = this.queue[0].arrived + waitMs - performance.now()
      if (left <= 0) return
      await setTimeout(Math.min(left, 1))
    }
  }

  /** The next batch, out of the queue. */
  private take(): Part[] {
    const { rows } = this.options
    const parts: Part[] = []
    const given = new Map<Job, number>()
    let used = 0
    for (const share of [rows / 4, rows])
      for (const job of this.queue) {
        let own = given.get(job) ?? 0
        for (; job.next < job.examples.length; job.next++) {
          const { length } = job.examples[job.next].ids
          if (used + length > rows || (own > 0 && own + length > share)) break
          parts.push({ job, e: job.next })
          used += length
          own += length
        }
        given.set(job, own)
        if (used === rows) break
      }
    this.pieces -= used
    this.queue = this.queue.filter(({ next, examples }) => next < examples.length)
    return parts
  }

  private async run(parts: readonly Part[]): Promise<Done | undefined> {
    const examples = parts.map(({ job, e }) => job.examples[e])
    const jobs = [...new Set(parts.map(({ job }) => job))]
    const start = performance.now()
    try {
      const logits = await this.runner.logits(examples)
      const seconds = (performance.now() - start) / 1000
      const pieces = examples.reduce((n, { ids }) => n + ids.length, 0)
      this.rate = this.rate === 0 ? pieces / seconds : 0.8 * this.rate + (0.2 * pieces) / seconds
      this.options.onBatch?.({ requests: jobs.length, pieces, seconds })
      return { parts, logits }
    } catch (error) {
      await this.recover(parts, jobs, error)
      return undefined
    }
  }

  /** A batch has failed: whether the device still works, and then each of its requests alone, so that one fails for itself only. */
  private async recover(parts: readonly Part[], jobs: readonly Job[], error: unknown): Promise<void> {
    const { probe } = this.options
    if (probe !== undefined && (await this.runner.logits([probe]).catch(() => undefined)) === undefined) {
      this.lost = new DeviceLost(error)
      for (const job of new Set([...jobs, ...this.queue])) this.fail(job, this.lost)
      this.options.onLost?.(this.lost)
      return
    }
    for (const job of jobs) {
      if (jobs.length === 1) this.fail(job, error)
      else {
        const own = parts.filter((part) => part.job === job)
        try {
          deliver({ parts: own, logits: await this.runner.logits(own.map(({ e }) => job.examples[e])) })
        } catch (alone) {
          this.fail(job, alone)
        }
      }
    }
  }

  private fail(job: Job, error: unknown): void {
    if (job.settled) return
    job.settled = true
    this.pieces -= piecesFrom(job)
    job.next = job.examples.length
    this.queue = this.queue.filter((other) => other !== job)
    job.reject(error)
  }
}

/** Gives answers to whom they belong. */
function deliver({ parts, logits }: Done): void {
  parts.forEach(({ job, e }, i) => {
    job.logits[e] = logits[i]
    if (--job.left > 0 || job.settled) return
    job.settled = true
    job.resolve(job.logits)
  })
}

/** Pieces of a job that are in no batch yet. */
function piecesFrom({ examples, next }: Job): number {
  let pieces = 0
  for (let e = next; e < examples.length; e++) pieces += examples[e].ids.length
  return pieces
}
