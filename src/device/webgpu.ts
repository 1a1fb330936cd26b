/**
 * The WebGPU device: WGSL kernels on one adapter, the same code in Node and in a browser. Pipelines are compiled when
 * the first program that needs them is prepared; a run is one parameter write and one command buffer.
 */
import { UsageError, UserError } from '../error.js'
import type { Device, DeviceInfo, TimelineEvent } from './device.js'
import { scalarBits } from './scalars.js'
import { encodeSteps, type PipelineSource, USAGE, WebgpuBuffer, WebgpuPrepared } from './webgpu_program.js'
import { type KernelSources, readKernels, type WgslEntry, type WgslKernel } from './webgpu_source.js'

/** Timestamps of one query set; the specification allows 4096. */
const QUERIES = 4096

/** Opens the default adapter of `gpu`. Throws a UsageError with the reason when there is none. */
export async function openWebgpu(gpu: GPU, sources: KernelSources): Promise<Device> {
  const unavailable = (why: string) => new UsageError(`the webgpu device is not available: ${why}`)
  const kernels = readKernels(sources)
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch((error: Error) => {
    throw unavailable(error.message)
  })
  if (!adapter)
    throw unavailable('there is no adapter (a graphics driver with Vulkan, Metal or Direct3D 12 is needed)')
  const timestamps = adapter.features.has('timestamp-query')
  const { limits } = adapter
  const device = await adapter
    .requestDevice({
      requiredFeatures: timestamps ? ['timestamp-query'] : [],
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      },
    })
    .catch((error: Error) => {
      throw unavailable(error.message)
    })
  return new WebgpuDevice([gpu, adapter], adapter.info, device, kernels, timestamps)
}

class WebgpuDevice implements Device, PipelineSource {
  readonly info: DeviceInfo
  readonly alignment = 256
  readonly timelineClock: 'device' | 'host'
  bytes = 0
  private readonly buffers = new Set<WebgpuBuffer>()
  private readonly programs = new Set<WebgpuPrepared>()
  private readonly modules = new Map<string, GPUShaderModule>()
  private readonly pipelines = new Map<string, { pipeline: GPUComputePipeline; layout: GPUBindGroupLayout }>()
  /** Results of the checks that WebGPU does behind our back, not yet looked at. */
  private checks: Promise<string | undefined>[] = []
  private failure: string | undefined
  private destroyed = false

  constructor(
    /** Held until the device is destroyed: Dawn in Node ends with the last reference to them. */
    public owners: readonly object[],
    adapter: GPUAdapterInfo,
    readonly device: GPUDevice,
    readonly kernels: ReadonlyMap<string, readonly WgslKernel[]>,
    private readonly timestamps: boolean,
  ) {
    const { vendor, architecture, description } = adapter
    const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter'
    this.info = {
      name: 'webgpu',
      detail: name,
      facts: { adapter: name, vendor, architecture, timestamps: timestamps ? 1 : 0 },
    }
    this.timelineClock = timestamps ? 'device' : 'host'
    device.addEventListener('uncapturederror', (event) => {
      this.failure ??= event.error.message
    })
    void device.lost.then(({ message }) => {
      if (!this.destroyed) this.failure ??= `the device was lost: ${message}`
    })
  }

  supports(kernel: string): boolean {
    return this.kernels.has(kernel)
  }

  alloc(bytes: number, label: string): WebgpuBuffer {
    const { maxBufferSize } = this.device.limits
    if (bytes > maxBufferSize)
      throw new UserError(
        `${label}: ${bytes} bytes are more than a buffer of webgpu can have (${maxBufferSize})`,
      )
    this.device.pushErrorScope('out-of-memory')
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget
    const gpu = this.device.createBuffer({ label, size: Math.max(4, Math.ceil(bytes / 4) * 4), usage })
    this.check(`${label}: ${bytes} bytes`)
    const buffer = new WebgpuBuffer(gpu, bytes, label)
    this.buffers.add(buffer)
    this.bytes += bytes
    return buffer
  }

  free(buffer: WebgpuBuffer): void {
    if (!this.buffers.delete(buffer)) return
    buffer.gpu.destroy()
    this.bytes -= buffer.bytes
  }

  async write(buffer: WebgpuBuffer, offset: number, data: ArrayBufferView): Promise<void> {
    checkRange(buffer, offset, data.byteLength)
    this.device.queue.writeBuffer(buffer.gpu, offset, data.buffer, data.byteOffset, data.byteLength)
    this.throwFailure()
  }

  async read(buffer: WebgpuBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    checkRange(buffer, offset, bytes)
    if (bytes === 0) return new ArrayBuffer(0)
    const encoder = this.device.createCommandEncoder()
    const target = this.device.createBuffer({ size: bytes, usage: USAGE.mapRead | USAGE.copyTarget })
    encoder.copyBufferToBuffer(buffer.gpu, offset, target, 0, bytes)
    this.device.queue.submit([encoder.finish()])
    return this.take(target)
  }

  /** The contents of a mappable buffer, which is destroyed. */
  private async take(buffer: GPUBuffer): Promise<ArrayBuffer> {
    try {
      await buffer.mapAsync(1)
      await this.settle()
      return buffer.getMappedRange().slice(0)
    } catch (error) {
      throw error instanceof UserError ? error : this.asError((error as Error).message)
    } finally {
      buffer.destroy()
    }
  }

  prepare(program: WebgpuPrepared['program'], arenas: readonly WebgpuBuffer[]): WebgpuPrepared {
    this.device.pushErrorScope('validation')
    try {
      const prepared = new WebgpuPrepared(this, program, arenas)
      this.programs.add(prepared)
      this.bytes += prepared.bytes
      return prepared
    } finally {
      this.check(`program ${program.name}`)
    }
  }

  pipeline(kernel: WgslKernel, entry: WgslEntry) {
    const key = `${kernel.label} ${entry.name}`
    const known = this.pipelines.get(key)
    if (known) return known
    const { device } = this
    const { maxStorageBuffersPerShaderStage: most } = device.limits
    const storage = entry.bindings.filter((b) => b !== kernel.paramsBinding).length
    if (storage > most)
      throw new UserError(
        `kernel ${kernel.name}: ${entry.name} binds ${storage} buffers, this adapter allows ${most}`,
      )
    device.pushErrorScope('validation')
    let module = this.modules.get(kernel.label)
    if (!module) {
      module = device.createShaderModule({ label: kernel.label, code: kernel.code })
      this.modules.set(kernel.label, module)
    }
    const layout = device.createBindGroupLayout({
      label: key,
      entries: entry.bindings.map((binding) => ({
        binding,
        visibility: 4,
        buffer: { type: binding === kernel.paramsBinding ? 'uniform' : 'storage' },
      })),
    })
    const pipeline = device.createComputePipeline({
      label: key,
      layout: device.createPipelineLayout({ label: key, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: entry.name },
    })
    this.check(`kernel ${key}`)
    const made = { pipeline, layout }
    this.pipelines.set(key, made)
    return made
  }

  async run(prepared: WebgpuPrepared, scalars: Readonly<Record<string, number>>): Promise<void> {
    prepared.setScalars(scalarBits(prepared.program, scalars))
    const encoder = this.device.createCommandEncoder({ label: prepared.program.name })
    encodeSteps(encoder, prepared.steps)
    this.device.queue.submit([encoder.finish()])
    await this.sync()
  }

  async timeline(
    prepared: WebgpuPrepared,
    scalars: Readonly<Record<string, number>>,
  ): Promise<TimelineEvent[]> {
    prepared.setScalars(scalarBits(prepared.program, scalars))
    const { steps } = prepared
    const events: TimelineEvent[] = []
    const add = (step: number, start: number, end: number) => {
      const { call, iteration } = steps[step]
      events.push({ call, iteration, start, duration: Math.max(0, end - start) })
    }
    if (!this.timestamps) {
      // the clock of the host around one submission for each call
      const begin = performance.now()
      for (let i = 0; i < steps.length; i++) {
        const start = performance.now()
        const encoder = this.device.createCommandEncoder()
        encodeSteps(encoder, [steps[i]])
        this.device.queue.submit([encoder.finish()])
        await this.device.queue.onSubmittedWorkDone()
        add(i, (start - begin) * 1e6, (performance.now() - begin) * 1e6)
      }
      await this.sync()
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
        this.take(target).finally(() => {
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

  async sync(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone()
    await this.settle()
  }

  async destroy(): Promise<void> {
    if (this.destroyed) return
    await this.device.queue.onSubmittedWorkDone().catch(() => undefined)
    await Promise.all(this.checks)
    this.destroyed = true
    for (const program of this.programs) program.free()
    for (const buffer of [...this.buffers]) this.free(buffer)
    this.bytes = 0
    this.device.destroy()
    this.owners = []
  }

  /** Ends the innermost error scope; what it caught is thrown by the next `settle`. */
  private check(what: string): void {
    this.checks.push(
      this.device.popErrorScope().then(
        (error) => (error ? `${what}: ${error.message}` : undefined),
        (error: Error) => `${what}: ${error.message}`,
      ),
    )
  }

  /** Waits for the checks so far and throws the first complaint. */
  private async settle(): Promise<void> {
    const checks = this.checks
    this.checks = []
    const found = (await Promise.all(checks)).find((text) => text !== undefined)
    if (found !== undefined) this.failure = found
    this.throwFailure()
  }

  private asError(text: string): UserError {
    return new UserError(`webgpu: ${this.failure ?? text}`)
  }

  private throwFailure(): void {
    if (this.failure === undefined) return
    const error = this.asError('')
    this.failure = undefined
    throw error
  }
}

function checkRange(buffer: WebgpuBuffer, offset: number, bytes: number): void {
  if (offset < 0 || bytes < 0 || offset + bytes > buffer.bytes)
    throw new UserError(
      `${buffer.label}: bytes ${offset} to ${offset + bytes} of ${buffer.bytes} do not exist`,
    )
  if (offset % 4 !== 0 || bytes % 4 !== 0)
    throw new UserError(`${buffer.label}: ${bytes} bytes from ${offset} (want multiples of 4, on webgpu)`)
}
