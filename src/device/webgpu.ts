/**
 * The WebGPU device: WGSL kernels on one adapter, the same code in Node and in a browser. Pipelines are compiled from the moment
 * that a program which needs them is prepared; a run is one parameter write and one command buffer.
 */
import { UsageError, UserError } from '../error.js'
import type { Device, DeviceInfo, TimelineEvent } from './device.js'
import type { Program } from './program.js'
import { scalarBits } from './scalars.js'
import { type AdapterReport, describeAdapter, requestedFeatures, requestedLimits } from './webgpu_adapter.js'
import { blockStarts, checkRange, mebibytes, OFFSET_ALIGNMENT, USAGE, WebgpuBuffer } from './webgpu_buffer.js'
import { Health } from './webgpu_health.js'
import { type Compiling, Pipelines } from './webgpu_pipelines.js'
import { encodeSteps, type ProgramSource, WebgpuPrepared } from './webgpu_program.js'
import { WebgpuQueue } from './webgpu_queue.js'
import { type KernelSources, readKernels, type WgslKernel } from './webgpu_source.js'

/** Timestamps of one query set; the specification allows 4096. */
const QUERIES = 4096

export interface WebgpuOptions {
  /** Hears how many kernels are compiled, of those that programs asked for so far. */
  readonly compiling?: Compiling
  /** Largest buffer and binding, in bytes, where that is to be less than the adapter allows (tests). */
  readonly mostBytes?: number
}

/** Opens the default adapter of `gpu`. Throws a UsageError with the reason when there is none. */
export async function openWebgpu(
  gpu: GPU,
  sources: KernelSources,
  options: WebgpuOptions = {},
): Promise<WebgpuDevice> {
  const unavailable = (why: string) => new UsageError(`the webgpu device is not available: ${why}`)
  const kernels = readKernels(sources)
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch((error: Error) => {
    throw unavailable(error.message)
  })
  if (!adapter)
    throw unavailable('there is no adapter (a graphics driver with Vulkan, Metal or Direct3D 12 is needed)')
  const device = await adapter
    .requestDevice({
      requiredFeatures: requestedFeatures(adapter.features),
      requiredLimits: requestedLimits(adapter.limits),
    })
    .catch((error: Error) => {
      throw unavailable(error.message)
    })
  return new WebgpuDevice([gpu, adapter], describeAdapter(adapter.info, device), device, kernels, options)
}

export class WebgpuDevice implements Device, ProgramSource {
  readonly info: DeviceInfo
  readonly alignment = OFFSET_ALIGNMENT
  readonly timelineClock: 'device' | 'host'
  readonly block: number
  readonly health: Health
  readonly pipelines: Pipelines
  bytes = 0
  private readonly queue: WebgpuQueue
  private readonly buffers = new Set<WebgpuBuffer>()
  private readonly programs = new Set<WebgpuPrepared>()
  private destroyed = false

  constructor(
    /** Held until the device is destroyed: Dawn in Node ends with the last reference to them. */
    public owners: readonly object[],
    readonly adapter: AdapterReport,
    readonly device: GPUDevice,
    readonly kernels: ReadonlyMap<string, readonly WgslKernel[]>,
    { compiling, mostBytes = Number.POSITIVE_INFINITY }: WebgpuOptions,
  ) {
    const { name, vendor, architecture, features } = adapter
    const hasTimestamps = features.includes('timestamp-query')
    this.info = {
      name: 'webgpu',
      detail: name,
      facts: { adapter: name, vendor, architecture, timestamps: hasTimestamps ? 1 : 0 },
    }
    this.timelineClock = hasTimestamps ? 'device' : 'host'
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize, mostBytes)
    this.block = Math.floor(most / OFFSET_ALIGNMENT) * OFFSET_ALIGNMENT
    this.health = new Health(device)
    this.queue = new WebgpuQueue(device, this.health)
    this.pipelines = new Pipelines(device, this.health, compiling)
  }

  supports(kernel: string): boolean {
    return this.kernels.has(kernel)
  }

  alloc(bytes: number, label: string, cuts?: readonly number[]): WebgpuBuffer {
    this.health.throwIfLost()
    const size = Math.max(4, Math.ceil(bytes / 4) * 4)
    const starts = blockStarts(size, this.block, label, cuts)
    const held = this.heldText()
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget
    const [blocks, told] = this.health.scoped('out-of-memory', () =>
      starts.map((start, i) => {
        const length = (starts[i + 1] ?? size) - start
        return { gpu: this.device.createBuffer({ label, size: length, usage }), start, bytes: length }
      }),
    )
    const buffer = new WebgpuBuffer(blocks, bytes, label)
    this.health.expect(
      told.then((error) => {
        if (error === undefined) return
        buffer.failure = new UserError(
          `${label}: webgpu has no memory for ${bytes} bytes (${mebibytes(bytes)}) beside ${held}: ${error.trim()}. What was saved last (a checkpoint) is whole`,
        )
      }),
    )
    this.buffers.add(buffer)
    this.bytes += bytes
    return buffer
  }

  /** `the 12.0 MiB that it holds (parameters 8.0 MiB, ...)` */
  private heldText(): string {
    const parts = [...this.buffers].map(({ label, bytes }) => `${label} ${mebibytes(bytes)}`)
    return `the ${mebibytes(this.bytes)} that it holds${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`
  }

  free(buffer: WebgpuBuffer): void {
    if (!this.buffers.delete(buffer)) return
    this.bytes -= buffer.bytes
    const destroy = () => {
      for (const { gpu } of buffer.blocks) gpu.destroy()
    }
    this.queue.after(destroy)
  }

  async write(buffer: WebgpuBuffer, offset: number, data: ArrayBufferView): Promise<void> {
    checkRange(buffer, offset, data.byteLength)
    await this.queue.order(() => this.queue.write(buffer, offset, data))
    if (buffer.failure) throw buffer.failure
    this.health.throwComplaint()
  }

  async read(buffer: WebgpuBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    checkRange(buffer, offset, bytes)
    if (bytes === 0) return new ArrayBuffer(0)
    const { data } = await this.queue.order(() => ({ data: this.queue.read(buffer, offset, bytes) }))
    return this.settled(data, [buffer])
  }

  /** What work gave, once no complaint about it is left. Of a buffer without memory that is the reason of all else. */
  private async settled<T>(work: Promise<T>, buffers: readonly WebgpuBuffer[]): Promise<T> {
    const [result] = await Promise.allSettled([work])
    await this.health.known()
    for (const { failure } of buffers) if (failure) throw failure
    await this.health.settle()
    if (result.status === 'fulfilled') return result.value
    const { reason } = result
    throw reason instanceof UserError ? reason : new UserError(`webgpu: ${(reason as Error).message}`)
  }

  prepare(program: Program, arenas: readonly WebgpuBuffer[]): WebgpuPrepared {
    const isWithoutMemory = () => arenas.some(({ failure }) => failure !== undefined)
    const prepared = this.health.checked(
      `program ${program.name}`,
      () => new WebgpuPrepared(this, program, arenas),
      isWithoutMemory,
    )
    this.programs.add(prepared)
    this.bytes += prepared.bytes
    return prepared
  }

  async run(prepared: WebgpuPrepared, scalars: Readonly<Record<string, number>>): Promise<void> {
    const { program } = prepared
    const bits = scalarBits(program, scalars)
    const { running } = this.health
    const batch = await this.queue.order(() => {
      this.queue.flush()
      prepared.setScalars(bits)
      const encoder = this.device.createCommandEncoder({ label: program.name })
      encodeSteps(encoder, prepared.steps)
      running.push(program.name)
      return this.queue.submit(encoder.finish())
    }, prepared.ready)
    try {
      const complaint = await this.settled(batch.done, prepared.arenas)
      if (complaint !== undefined) throw new UserError(`webgpu: program ${program.name}: ${complaint}`)
    } finally {
      running.splice(running.indexOf(program.name), 1)
    }
  }

  async timeline(
    prepared: WebgpuPrepared,
    scalars: Readonly<Record<string, number>>,
  ): Promise<TimelineEvent[]> {
    const bits = scalarBits(prepared.program, scalars)
    // what follows comes behind all of it, which is more than one submission
    return this.queue.order(() => this.timed(prepared, bits), prepared.ready ?? Promise.resolve())
  }

  private async timed(prepared: WebgpuPrepared, bits: Uint32Array): Promise<TimelineEvent[]> {
    const { steps } = prepared
    this.queue.flush()
    prepared.setScalars(bits)
    const events: TimelineEvent[] = []
    const add = (step: number, start: number, end: number) => {
      const { call, iteration } = steps[step]
      events.push({ call, iteration, start, duration: Math.max(0, end - start) })
    }
    if (this.timelineClock === 'host') {
      // the clock of the host around one submission for each call
      const begin = performance.now()
      for (let i = 0; i < steps.length; i++) {
        const start = performance.now()
        const encoder = this.device.createCommandEncoder()
        encodeSteps(encoder, [steps[i]])
        this.device.queue.submit([encoder.finish()])
        await this.queue.done()
        add(i, (start - begin) * 1e6, (performance.now() - begin) * 1e6)
      }
      await this.settled(this.queue.done(), prepared.arenas)
      return events
    }
    const { device } = this
    const chunks: Promise<ArrayBuffer>[] = []
    for (let first = 0; first < steps.length; first += QUERIES / 2) {
      const part = steps.slice(first, first + QUERIES / 2)
      const count = 2 * part.length
      const querySet = device.createQuerySet({ type: 'timestamp', count })
      const usage = USAGE.queryResolve | USAGE.copySource
      const resolved = device.createBuffer({ size: 8 * count, usage })
      const target = device.createBuffer({ size: 8 * count, usage: USAGE.mapRead | USAGE.copyTarget })
      const encoder = device.createCommandEncoder()
      encodeSteps(encoder, part, (i) => ({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
      }))
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, target, 0, 8 * count)
      device.queue.submit([encoder.finish()])
      chunks.push(
        this.take(target, prepared.arenas).finally(() => {
          querySet.destroy()
          resolved.destroy()
        }),
      )
    }
    const times = (await Promise.all(chunks)).flatMap((c) => [...new BigUint64Array(c)])
    for (let i = 0; i < steps.length; i++)
      add(i, Number(times[2 * i] - times[0]), Number(times[2 * i + 1] - times[0]))
    return events
  }

  /** The contents of a mappable buffer, which is destroyed. */
  private async take(buffer: GPUBuffer, arenas: readonly WebgpuBuffer[]): Promise<ArrayBuffer> {
    try {
      await this.settled(this.health.guard(buffer.mapAsync(1)), arenas)
      return buffer.getMappedRange().slice(0)
    } finally {
      buffer.destroy()
    }
  }

  async sync(): Promise<void> {
    await this.settled(
      this.queue.order(() => this.queue.done(), Promise.resolve()),
      [],
    )
  }

  async destroy(): Promise<void> {
    if (this.destroyed) return
    this.destroyed = true
    await this.pipelines.end()
    await this.queue.idle()
    await this.queue.done().catch(() => undefined)
    await this.health.settle().catch(() => undefined)
    this.health.end('the webgpu device was closed')
    for (const program of this.programs) program.free()
    for (const buffer of [...this.buffers]) this.free(buffer)
    this.queue.destroy()
    this.bytes = 0
    this.device.destroy()
    this.owners = []
  }
}
