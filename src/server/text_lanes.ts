/**
 * Where texts are worked on: short ones at once, on the event loop, where it costs less than handing them over; long ones in
 * a thread of their own, one after the other, so that a megabyte of text delays no one else. The thread starts with the
 * first long text.
 */
import { Worker } from 'node:worker_threads'
import { UserError } from '../error.js'
import type { Example } from '../model/head.js'
import { TextWork, type TextWorkSettings } from './text_work.js'
import type { WorkerReply, WorkerRequest, WorkerSettings } from './text_worker.js'

/** UTF-16 units of all lines of a request that are worked on at once: some milliseconds of work. */
const SHORT = 8192
/** Heap of the thread, MiB: many times what the longest body makes. A thread that wants more ends, and its requests fail. */
const HEAP = 2048

export interface LaneText {
  readonly examples: readonly Example[]
  readonly pieces: number
  finish(logits: readonly Float32Array[]): string[] | Promise<string[]>
  /** Ends work on a text that nobody waits for. */
  forget(): void
}

interface Waiting {
  resolve(reply: WorkerReply): void
  reject(error: unknown): void
}

export class TextLanes {
  private readonly here: TextWork
  private worker: Worker | undefined
  private readonly waiting = new Map<number, Waiting>()
  private next = 1

  /** `folder` holds the vocabulary; `short` is for tests. */
  constructor(
    private readonly settings: TextWorkSettings,
    private readonly folder: string,
    private readonly short = SHORT,
  ) {
    this.here = new TextWork(settings)
  }

  /** Model inputs of the lines. Of more than `most` pieces there are none, and `pieces` tells. Throws a UserError. */
  async prepare(lines: readonly string[], most: number): Promise<LaneText> {
    if (lines.reduce((n, { length }) => n + length, 0) <= this.short) {
      const prepared = this.here.prepare(lines)
      return { ...prepared, forget: () => undefined }
    }
    const id = this.next++
    const reply = await this.ask({ kind: 'prepare', id, lines, most })
    if (!('examples' in reply)) throw new Error('the thread for texts answers something else')
    const { examples, pieces } = reply
    const worker = this.worker
    return {
      examples,
      pieces,
      finish: async (logits) => {
        if (this.worker !== worker) throw new Error('the thread that knew the text has ended')
        const finished = await this.ask({ kind: 'finish', id, logits })
        if (!('printed' in finished)) throw new Error('the thread for texts answers something else')
        return [...finished.printed]
      },
      forget: () => {
        if (this.worker === worker) this.post({ kind: 'forget', id })
      },
    }
  }

  async close(): Promise<void> {
    await this.worker?.terminate()
  }

  private ask(request: WorkerRequest): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      this.waiting.set(request.id, { resolve, reject })
      this.post(request)
    })
  }

  private post(request: WorkerRequest): void {
    this.worker ??= this.start()
    this.worker.postMessage(request)
  }

  private start(): Worker {
    const { task, context, entity } = this.settings
    const { form, labels, maxLength, fitted } = context
    const workerData: WorkerSettings = {
      folder: this.folder,
      task: task.name,
      context: { form, labels, maxLength, fitted },
      entity,
    }
    const worker = new Worker(new URL('./text_worker.js', import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP },
    })
    worker.unref()
    worker.on('message', (reply: WorkerReply) => {
      const waiting = this.waiting.get(reply.id)
      this.waiting.delete(reply.id)
      if (!('failed' in reply)) waiting?.resolve(reply)
      else waiting?.reject(reply.byUser ? new UserError(reply.failed) : new Error(reply.failed))
    })
    const ended = (error: unknown) => {
      if (this.worker !== worker) return
      this.worker = undefined
      for (const { reject } of this.waiting.values()) reject(error)
      this.waiting.clear()
    }
    worker.on('error', ended)
    worker.on('exit', (code) => ended(new Error(`the thread for texts ended with ${code}`)))
    return worker
  }
}
