/**
 * The order of what is asked of a WebGPU device. Work is handed over at once, unless something before it waits for its pipelines;
 * then it follows that. Command buffers and small reads are gathered until the current task of JavaScript ends or a write has to
 * come between: so a step, the inputs before it and the losses after it are one submission and one mapping.
 */
import { USAGE, type WebgpuBuffer } from './buffer.js'
import type { Health } from './health.js'

/** Bytes of a read that is gathered with others. */
const SMALL_READ = 1 << 14
/** Bytes that gathered reads have together, at most: the size of the buffers that are kept for them. */
const GATHERED = 1 << 16
/** Bytes of one mapping of a large read. */
const PART = 1 << 26
/** Buffers kept for reads. */
const KEPT = 8

/** What is submitted together. */
class Batch {
  readonly commands: GPUCommandBuffer[] = []
  readonly reads: Read[] = []
  /** Where the next read lies. */
  readEnd = 0
  /** Resolves when its work is done, with what was wrong with the submission. */
  readonly done: Promise<string | undefined>
  resolve!: (done: Promise<string | undefined>) => void

  constructor() {
    this.done = new Promise((resolve) => {
      this.resolve = resolve
    })
    // who only writes or reads does not wait for it
    this.done.catch(() => undefined)
  }
}

interface Read {
  readonly source: GPUBuffer
  readonly offset: number
  readonly bytes: number
  /** Where it lies in the buffer that is mapped. */
  readonly at: number
  resolve(data: ArrayBuffer): void
  reject(error: Error): void
}

export class WebgpuQueue {
  private waiting = 0
  private tail: Promise<unknown> = Promise.resolve()
  private batch: Batch | undefined
  private readonly kept: GPUBuffer[] = []

  constructor(
    private readonly device: GPUDevice,
    private readonly health: Health,
  ) {}

  /** Does work behind all that was asked for before; behind `ready` too, and whatever it awaits, if that is given. */
  async order<T>(work: () => T | Promise<T>, ready?: Promise<unknown>): Promise<T> {
    this.health.throwIfLost()
    if (this.waiting === 0 && !ready) return work()
    this.waiting++
    const result = this.tail
      .then(() => ready)
      .then(() => {
        this.health.throwIfLost()
        return work()
      })
    this.tail = result.then(
      () => this.waiting--,
      () => this.waiting--,
    )
    return result
  }

  /** Hands over commands with those that follow in the same task; `done` of what it returns tells of their end. */
  submit(commands: GPUCommandBuffer): { readonly done: Promise<string | undefined> } {
    const batch = this.open()
    batch.commands.push(commands)
    return batch
  }

  private open(): Batch {
    if (!this.batch) {
      this.batch = new Batch()
      queueMicrotask(() => this.flush())
    }
    return this.batch
  }

  write(buffer: WebgpuBuffer, offset: number, data: ArrayBufferView): void {
    this.flush()
    let from = data.byteOffset
    for (const piece of buffer.pieces(offset, data.byteLength)) {
      this.device.queue.writeBuffer(piece.gpu, piece.offset, data.buffer, from, piece.bytes)
      from += piece.bytes
    }
  }

  async read(buffer: WebgpuBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const pieces = buffer.pieces(offset, bytes)
    if (pieces.length === 1 && bytes <= SMALL_READ) {
      if (this.batch && this.batch.readEnd + bytes > GATHERED) this.flush()
      const batch = this.open()
      const at = batch.readEnd
      // mapped ranges begin at multiples of 8
      batch.readEnd = Math.ceil((at + bytes) / 8) * 8
      return new Promise((resolve, reject) => {
        batch.reads.push({ source: pieces[0].gpu, offset: pieces[0].offset, bytes, at, resolve, reject })
      })
    }
    const parts = pieces.flatMap((piece) => {
      const count = Math.ceil(piece.bytes / PART)
      return Array.from({ length: count }, (_, i) => ({
        source: piece.gpu,
        offset: piece.offset + i * PART,
        bytes: Math.min(PART, piece.bytes - i * PART),
      }))
    })
    const whole = new Uint8Array(bytes)
    let end = 0
    // one part after the other, so that a large arena is not held a third time; the copies keep their place in the queue
    const targets = this.copies(parts)
    try {
      for (const [i, target] of targets.entries()) {
        await this.health.guard(target.mapAsync(1))
        whole.set(new Uint8Array(target.getMappedRange()), end)
        target.destroy()
        end += parts[i].bytes
      }
    } finally {
      for (const target of targets) target.destroy()
    }
    return whole.buffer
  }

  /** Buffers to be mapped, each with a copy of a range. */
  private copies(parts: readonly { source: GPUBuffer; offset: number; bytes: number }[]): GPUBuffer[] {
    return this.health.checked('a read', () => {
      const encoder = this.device.createCommandEncoder()
      const targets = parts.map(({ source, offset, bytes }) => {
        const target = this.device.createBuffer({ size: bytes, usage: USAGE.mapRead | USAGE.copyTarget })
        encoder.copyBufferToBuffer(source, offset, target, 0, bytes)
        return target
      })
      this.submit(encoder.finish())
      this.flush()
      return targets
    })
  }

  /** Submits what was gathered. */
  flush(): void {
    const { batch, device, health } = this
    if (!batch) return
    this.batch = undefined
    const { commands, reads } = batch
    try {
      const [, complaint] = health.scoped('validation', () => {
        const target = reads.length > 0 ? (this.kept.pop() ?? this.makeTarget()) : undefined
        if (target) {
          const encoder = device.createCommandEncoder()
          for (const { source, offset, at, bytes } of reads)
            encoder.copyBufferToBuffer(source, offset, target, at, bytes)
          commands.push(encoder.finish())
        }
        device.queue.submit(commands)
        if (target) void this.deliver(target, reads)
      })
      const done = Promise.all([complaint, device.queue.onSubmittedWorkDone()])
      batch.resolve(health.guard(done.then(([text]) => text)))
    } catch (error) {
      // nobody stands above: who waits for the batch has to hear of it
      for (const { reject } of reads) reject(error as Error)
      batch.resolve(Promise.reject(error))
    }
  }

  private makeTarget(): GPUBuffer {
    return this.device.createBuffer({
      label: 'reads',
      size: GATHERED,
      usage: USAGE.mapRead | USAGE.copyTarget,
    })
  }

  private async deliver(target: GPUBuffer, reads: readonly Read[]): Promise<void> {
    try {
      await this.health.guard(target.mapAsync(1))
      const all = target.getMappedRange()
      for (const { at, bytes, resolve } of reads) resolve(all.slice(at, at + bytes))
      target.unmap()
      if (this.kept.length < KEPT) {
        this.kept.push(target)
        return
      }
    } catch (error) {
      for (const { reject } of reads) reject(error as Error)
    }
    target.destroy()
  }

  /** Resolves when all that was submitted is done. */
  async done(): Promise<void> {
    this.flush()
    await this.health.guard(this.device.queue.onSubmittedWorkDone())
  }

  /** Does something harmless behind all that was asked for, also after a loss. */
  after(work: () => void): void {
    this.flush()
    if (this.waiting === 0) work()
    else void this.tail.then(work)
  }

  /** Resolves when nothing waits for pipelines any more. */
  async idle(): Promise<void> {
    await this.tail
  }

  destroy(): void {
    for (const target of this.kept) target.destroy()
    this.kept.length = 0
  }
}
