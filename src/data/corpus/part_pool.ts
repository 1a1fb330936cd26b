/**
 * Makes parts on worker threads, in order. Where some fail, the error is that of the first of them in order, whatever the number of
 * workers: parts after a failed one are not begun, those before it are waited for.
 */
import { Worker } from 'node:worker_threads'
import { UserError } from '../../error.js'
import type { PartTask, Settings } from './part.js'
import type { PartReply } from './part_worker.js'

export interface PartPoolOptions {
  readonly workers: number
  readonly settings: Settings
  /** Hears of bytes as they are read. */
  readonly hear: (bytes: number) => void
  readonly signal?: AbortSignal
}

export async function makeParts(tasks: readonly PartTask[], options: PartPoolOptions): Promise<void> {
  const { settings, hear, signal } = options
  const file = new URL('./part_worker.js', import.meta.url)
  const workers = Array.from(
    { length: Math.min(options.workers, tasks.length) },
    () => new Worker(file, { workerData: settings }),
  )
  let next = 0
  let failed = tasks.length
  let failure: unknown
  const work = async (worker: Worker): Promise<void> => {
    while (next < failed) {
      const k = next++
      try {
        await ask(worker, tasks[k], hear, signal)
      } catch (error) {
        if (k >= failed) return
        failed = k
        failure = error
        return
      }
    }
  }
  try {
    await Promise.all(workers.map(work))
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  if (failed < tasks.length) throw failure
}

function ask(
  worker: Worker,
  task: PartTask,
  hear: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      worker.off('message', answered).off('error', failed)
      signal?.removeEventListener('abort', aborted)
    }
    const failed = (error: unknown): void => {
      stop()
      reject(error)
    }
    const aborted = (): void => failed(signal?.reason)
    const answered = (reply: PartReply): void => {
      if (reply.kind === 'read') {
        hear(reply.bytes)
        return
      }
      if (reply.kind === 'failed') {
        const { message, userError, stack } = reply
        failed(userError ? new UserError(message) : Object.assign(new Error(message), { stack }))
        return
      }
      stop()
      resolve()
    }
    if (signal?.aborted) return reject(signal.reason)
    worker.on('message', answered).on('error', failed)
    signal?.addEventListener('abort', aborted)
    worker.postMessage(task)
  })
}
