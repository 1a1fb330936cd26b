/**
 * The WebGPU device: WGSL kernels on one adapter, the same code in Node and in a browser. Pipelines are compiled from the moment
 * that a program which needs them is prepared; a run is one parameter write and one command buffer.
 */
import { UsageError, UserError } from '../../error.js'
import type { ArenaLayout, DeviceInfo, TimelineEvent } from '../device.js'
import type { Program } from '../program.js'
import { scalarBits } from '../scalars.js'
import {
  type AdapterReport,
  adapterProperties,
  describeAdapter,
  requestedFeatures,
  requestedLimits,
} from './adapter.js'
import {
  blockStarts,
  checkArenas,
  checkRange,
  layoutOnly,
  mebibytes,
  OFFSET_ALIGNMENT,
  USAGE,
  WebgpuBuffer,
} from './buffer.js'
import {
  type ChoiceStore,
  type Chooser,
  checkVariants,
  chooseVariants,
  firstVariants,
  runnable,
} from './choice.js'
import { Health, type Waiting } from './health.js'
import { type Compiling, Pipelines } from './pipelines.js'
import { encodeSteps, type ProgramSource, WebgpuPrepared } from './program.js'
import { WebgpuQueue } from './queue.js'
import { bytesBeside, layOut } from './ranges.js'
import { type KernelSources, readKernels, type Variants, type WgslKernel } from './source.js'

/** Timestamps of one query set; the specification allows 4096. */
const QUERIES = 4096

export interface WebgpuOptions {
  /** Hears how many kernels are compiled, of those that programs asked for since all before them were. */
  readonly compiling?: Compiling
  /** Cores that compile pipelines (default: 4). */
  readonly cores?: number
  /** Largest buffer and binding, in bytes, where that is to be less than the adapter allows (tests). */
  readonly mostBytes?: number
  /** Variants of shared code by family, instead of those that are fastest here; the first of a family that is left out. */
  readonly variants?: Variants
  /** Where the variants that were found to be fastest are kept; nowhere if it is left out. */
  readonly store?: ChoiceStore
  /** Whether variants that are not known are measured when the device opens (default: on a GPU); the first ones are used otherwise. */
  readonly measure?: boolean
  /** Hears when the device is waited for: in Node the thread of JavaScript then pauses. */
  readonly waiting?: Waiting
}

/** Opens the default adapter of `gpu`. Throws a UsageError with the reason when there is none. */
export async function openWebgpu(
  gpu: GPU,
  sources: KernelSources,
  options: WebgpuOptions = {},
): Promise<WebgpuDevice> {
  const unavailable = (why: string) => new UsageError(`the webgpu device is not available: ${why}`)
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
  const report = describeAdapter(adapter.info, device)
  const opened = new WebgpuDevice([gpu, adapter], report, device, sources, options)
  try {
    await opened.choose(options)
  } catch (error) {
    await opened.destroy()
    throw error
  }
  return opened
}

export class WebgpuDevice implements ProgramSource, Chooser {
  readonly alignment = OFFSET_ALIGNMENT
  readonly timelineClock: 'device' | 'host'
  readonly block: number
  readonly health: Health
  readonly pipelines: Pipelines
  bytes = 0
  kernels!: ReadonlyMap<string, readonly WgslKernel[]>
  /** Kernels by the variants that they are made of, so that none is compiled twice. */
  private readonly made = new Map<string, ReadonlyMap<string, readonly WgslKernel[]>>()
  /** Variants that were given, or found to be the fastest here. */
  private chosen: Variants = {}
  private readonly queue: WebgpuQueue
  private readonly buffers = new Set<WebgpuBuffer>()
  private readonly programs = new Set<WebgpuPrepared>()
  private destroyed = false

  constructor(
    /** Held until the device is destroyed: Dawn in Node ends with the last reference to them. */
    public owners: readonly object[],
    readonly adapter: AdapterReport,
    readonly device: GPUDevice,
    private readonly sources: KernelSources,
    { compiling, waiting, mostBytes = Number.POSITIVE_INFINITY, cores = 4 }: WebgpuOptions,
  ) {
    const hasTimestamps = adapter.features.includes('timestamp-query')
    this.timelineClock = hasTimestamps ? 'device' : 'host'
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize, mostBytes)
    this.block = Math.floor(most / OFFSET_ALIGNMENT) * OFFSET_ALIGNMENT
    this.use(firstVariants(runnable(sources, adapter.features, adapter.subgroupMatrices)))
    this.health = new Health(device, waiting)
    this.queue = new WebgpuQueue(device, this.health)
    this.pipelines = new Pipelines(device, this.health, cores + 1, compiling)
  }

  get info(): DeviceInfo {
    const { name, vendor, architecture, features } = this.adapter
    const timestamps = features.includes('timestamp-query') ? 1 : 0
    return {
      name: 'webgpu',
      detail: name,
      facts: { adapter: name, vendor, architecture, timestamps },
      properties: { ...adapterProperties(this.adapter), variants: this.chosen },
    }
  }

  /** WebGPU tells of no memory: what an adapter in software has is the machine's. */
  get isMemoryUnknown(): boolean {
    return !this.adapter.isSoftware
  }

  get isLost(): boolean {
    return this.health.isLost
  }

  /** Programs that are prepared from now on get these variants of shared code. */
  use(variants: Variants): void {
    const key = JSON.stringify(Object.entries(variants).sort())
    const read = this.made.get(key) ?? readKernels(this.sources, variants, this.adapter.subgroupMatrices)
    this.made.set(key, read)
    this.kernels = read
  }

  /** Settles which variants are used. */
  async choose({ variants, store, measure }: WebgpuOptions): Promise<void> {
    const { adapter, sources } = this
    const families = runnable(sources, adapter.features, adapter.subgroupMatrices)
    if (variants) {
      this.use({ ...firstVariants(families), ...checkVariants(variants, families) })
      this.chosen = variants
    } else this.chosen = await chooseVariants(this, adapter, sources, { store, measure })
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

  /** Frees a buffer, and what its programs hold beside it, behind the runs that use them. */
  free(buffer: WebgpuBuffer): void {
    if (!this.buffers.delete(buffer)) return
    this.bytes -= buffer.bytes
    buffer.isFreed = true
    const programs = [...this.programs].filter(({ arenas }) => arenas.includes(buffer))
    for (const program of programs) {
      this.programs.delete(program)
      this.bytes -= program.bytes
    }
    this.queue.after(() => {
      for (const { gpu } of buffer.blocks) gpu.destroy()
      for (const program of programs) program.free()
    })
  }

  async write(buffer: WebgpuBuffer, offset: number, data: ArrayBufferView): Promise<void> {
    this.health.throwIfLost()
    checkRange(buffer, offset, data.byteLength)
    await this.queue.order(() => this.queue.write(buffer, offset, data))
    if (buffer.failure) throw buffer.failure
    this.health.throwComplaint()
  }

  async read(buffer: WebgpuBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    this.health.throwIfLost()
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
    this.health.throwIfLost()
    checkArenas(program, arenas)
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

  programBytes(program: Program, arenas: readonly ArenaLayout[]): number {
    const thought = arenas.map((arena) => layoutOnly(arena, this.block))
    return bytesBeside(layOut(program, this.kernels, thought, this.block))
  }

  async run(prepared: WebgpuPrepared, scalars: Readonly<Record<string, number>>): Promise<void> {
    const { program } = prepared
    const bits = scalarBits(program, scalars)
    this.health.throwIfLost()
    checkArenas(program, prepared.arenas)
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
    this.health.throwIfLost()
    checkArenas(prepared.program, prepared.arenas)
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
