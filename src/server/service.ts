/**
 * Lines in, JSON out: what the server does with a request once its body is read. Bounded: so many requests at a time, so many
 * pieces that wait for the device, a time for each; what does not fit is refused at once, with the seconds after which it may.
 */

import { UserError } from '../error.js'
import type { Example } from '../model/head.js'
import { Batcher, type BatchRunner, DeviceLost } from './batcher.js'
import { Refusal } from './refusal.js'
import { TextLanes } from './text_lanes.js'
import type { TextWorkSettings } from './text_work.js'

export interface ServiceLimits {
  /** Requests that are not answered yet. */
  readonly requests: number
  /** Pieces that wait for the device; one request may bring a quarter of them. */
  readonly pieces: number
  /** Seconds from a request to its answer. */
  readonly seconds: number
}

export interface ServiceOptions extends TextWorkSettings {
  readonly runner: BatchRunner
  /** Pieces of a batch. */
  readonly rows: number
  /** Folder of the model. */
  readonly folder: string
  readonly limits: ServiceLimits
  readonly waitMs?: number
  readonly onBatch?: (batch: { requests: number; pieces: number; seconds: number }) => void
  readonly onLost?: (error: DeviceLost) => void
  /** See TextLanes; for tests. */
  readonly short?: number
}

/** The text with which it is seen, before anyone asks, that the model gives numbers; a pair of fields where a task has them. */
const PROBE = 'Is it cancer?'

export class Service {
  private readonly lanes: TextLanes
  private readonly batcher: Batcher
  private readonly ending = new AbortController()
  private open = 0

  private constructor(
    private readonly options: ServiceOptions,
    probe: Example | undefined,
  ) {
    const { runner, rows, waitMs, onBatch, onLost } = options
    this.lanes = new TextLanes(options, options.folder, options.short)
    this.batcher = new Batcher(runner, { rows, waitMs, probe, onBatch, onLost })
  }

  /** Runs the model once. Throws where it fails or gives no numbers. */
  static async open(options: ServiceOptions): Promise<Service> {
    const { task, context, runner } = options
    const line = task.input.includes('tab') ? `${PROBE}\t${PROBE}` : PROBE
    const [probe] = task.examples(task.parse(line, { file: 'probe', line: 1 }, context), context, false)
    await runner.logits([probe])
    return new Service(options, probe)
  }

  /** Requests that are not answered yet. */
  get requests(): number {
    return this.open
  }

  get waitingPieces(): number {
    return this.batcher.waitingPieces
  }

  /** Throws a Refusal where no further request is taken now. */
  checkRoom(): void {
    const { requests, pieces } = this.options.limits
    if (this.open >= requests) throw this.full(`${this.open} requests that wait`, `at most ${requests}`)
    if (this.waitingPieces >= pieces)
      throw this.full(`${this.waitingPieces} pieces that wait`, `at most ${pieces}`)
  }

  /** One JSON object a line. Throws a Refusal, or the signal's reason. */
  async answer(lines: readonly string[], signal: AbortSignal): Promise<string[]> {
    this.checkRoom()
    this.open++
    const timeout = new AbortController()
    const { seconds } = this.options.limits
    const late = new Refusal(503, 'timeout', `found no answer after ${seconds} s, expected one by then`, {
      retryAfter: this.retryAfter(),
    })
    const timer = setTimeout(() => timeout.abort(late), 1000 * seconds)
    try {
      return await this.work(lines, AbortSignal.any([signal, timeout.signal, this.ending.signal]))
    } finally {
      clearTimeout(timer)
      this.open--
    }
  }

  private async work(lines: readonly string[], signal: AbortSignal): Promise<string[]> {
    const { limits } = this.options
    const most = Math.floor(limits.pieces / 4)
    const text = await unlessAborted(this.lanes.prepare(lines, most), signal, (late) => late.forget())
    try {
      if (text.pieces > most)
        throw new Refusal(
          413,
          'too_long',
          `found ${text.pieces} pieces of text, expected at most ${most} in a request`,
        )
      // what waits alone is taken however much it is, or a long text could wait for ever
      if (this.waitingPieces > 0 && this.waitingPieces + text.pieces > limits.pieces)
        throw this.full(
          `${this.waitingPieces} pieces that wait and ${text.pieces} more`,
          `at most ${limits.pieces}`,
        )
      const logits = await this.batcher.logits(text.examples, signal)
      return await unlessAborted(Promise.resolve(text.finish(logits)), signal)
    } catch (error) {
      text.forget()
      throw error
    }
  }

  /** Ends every request that is not answered. */
  abort(reason: unknown): void {
    this.ending.abort(reason)
  }

  close(): Promise<void> {
    return this.lanes.close()
  }

  private full(found: string, expected: string): Refusal {
    return new Refusal(429, 'queue_full', `the queue is full: found ${found}, expected ${expected}`, {
      retryAfter: this.retryAfter(),
    })
  }

  /** Seconds in which the device gets through what waits. */
  private retryAfter(): number {
    const { waitingPieces, piecesPerSecond } = this.batcher
    const seconds = piecesPerSecond > 0 ? waitingPieces / piecesPerSecond : 1
    return Math.min(60, Math.max(1, Math.ceil(seconds)))
  }
}

/** The promise, or the signal's reason as soon as there is one; `late` gets what comes after that. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, late?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason)
      promise.then(late, () => undefined)
    }
    if (signal.aborted) {
      abort()
      return
    }
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** An error of any kind as a refusal: what a task did not take is the asker's, everything else ours. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof DeviceLost) return new Refusal(503, 'device_lost', error.message)
  if (error instanceof UserError && error.message.startsWith('input:'))
    return new Refusal(400, 'bad_request', error.message)
  return new Refusal(500, 'failed', 'the request failed inside the server')
}
