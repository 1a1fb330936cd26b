/**
 * Pipelines of a WebGPU device. Each is compiled once, beside others and beside the event loop, from the moment that a program
 * which needs it is prepared; the first run of the program waits for them.
 */
import { UserError } from '../../error.js'
import type { Health } from './health.js'
import type { WgslEntry, WgslKernel } from './source.js'

/** Hears how many pipelines are compiled, of those that were asked for since all before them were. */
export type Compiling = (done: number, total: number) => void

export interface Pipeline {
  readonly key: string
  readonly layout: GPUBindGroupLayout
  /** There once it is compiled. */
  pipeline: GPUComputePipeline | undefined
  /** Rejects with what is wrong with the kernel. */
  readonly ready: Promise<void>
}

export class Pipelines {
  private readonly known = new Map<WgslEntry, Map<string, Pipeline>>()
  private readonly modules = new Map<string, [GPUShaderModule, Promise<string | undefined>]>()
  /** What has not begun. */
  private readonly queue: (() => Promise<void>)[] = []
  private readonly running = new Set<Promise<void>>()
  private total = 0
  private done = 0
  private isTold = true
  private isEnded = false

  constructor(
    private readonly device: GPUDevice,
    private readonly health: Health,
    /** Pipelines that are compiled at once. Where one begins its shader is parsed, in Node on the thread of JavaScript; and who ends the device waits for those that have begun. */
    private readonly atOnce: number,
    private readonly compiling: Compiling = () => {},
  ) {}

  /** The pipeline of an entry point; `constants` are the values of its overrides. Throws where the adapter cannot bind so much. */
  get(kernel: WgslKernel, entry: WgslEntry, constants: Readonly<Record<string, number>> = {}): Pipeline {
    const given = Object.entries(constants).map(([name, value]) => ` ${name}=${value}`)
    const key = `${kernel.label} ${entry.name}${given.join('')}`
    const ofEntry = this.known.get(entry) ?? new Map<string, Pipeline>()
    this.known.set(entry, ofEntry)
    const known = ofEntry.get(key)
    if (known) return known
    const { device } = this
    const { maxStorageBuffersPerShaderStage: most } = device.limits
    const storage = entry.bindings.filter((b) => b !== kernel.paramsBinding).length
    if (storage > most)
      throw new UserError(
        `kernel ${kernel.name}: ${entry.name} binds ${storage} buffers, this adapter allows ${most}`,
      )
    const layout = this.health.checked(`kernel ${key}`, () =>
      device.createBindGroupLayout({
        label: key,
        entries: entry.bindings.map((binding) => ({
          binding,
          visibility: 4,
          buffer: { type: binding === kernel.paramsBinding ? 'uniform' : 'storage' },
        })),
      }),
    )
    let settle!: (compiled: Promise<void>) => void
    const ready = new Promise<void>((resolve) => {
      settle = resolve
    })
    // a program that is never run has nobody who hears of it
    ready.catch(() => undefined)
    const made: Pipeline = { key, layout, pipeline: undefined, ready }
    ofEntry.set(key, made)
    if (this.done === this.total) this.done = this.total = 0
    this.total++
    this.queue.push(async () => {
      const compiled = this.compile(kernel, entry, constants, made)
      settle(compiled)
      await compiled.catch(() => undefined)
    })
    this.announce()
    this.next()
    return made
  }

  /** Tells how many are asked for, once all that a program asks for in one go are known. */
  private announce(): void {
    if (!this.isTold) return
    this.isTold = false
    queueMicrotask(() => {
      this.isTold = true
      this.report()
    })
  }

  private report(): void {
    this.compiling(this.done, this.total)
  }

  private next(): void {
    while (this.running.size < this.atOnce) {
      const begin = this.queue.shift()
      if (!begin) return
      const work = begin().then(() => {
        this.running.delete(work)
        this.done++
        this.report()
        this.next()
      })
      this.running.add(work)
    }
  }

  private module({ label }: WgslKernel, { code }: WgslEntry): [GPUShaderModule, Promise<string | undefined>] {
    const known = this.modules.get(code)
    if (known) return known
    const made = this.health.scoped('validation', () => this.device.createShaderModule({ label, code }))
    this.modules.set(code, made)
    return made
  }

  private async compile(
    kernel: WgslKernel,
    entry: WgslEntry,
    constants: Readonly<Record<string, number>>,
    made: Pipeline,
  ): Promise<void> {
    const { device, health } = this
    if (this.isEnded) throw new UserError('the webgpu device was closed')
    const told = this.module(kernel, entry)
    const [module] = told
    try {
      const layout = device.createPipelineLayout({ label: made.key, bindGroupLayouts: [made.layout] })
      made.pipeline = await health.guard(
        device.createComputePipelineAsync({
          label: made.key,
          layout,
          compute: { module, entryPoint: entry.name, constants },
        }),
      )
    } catch (error) {
      if (error instanceof UserError) throw error
      // of a module that is wrong, its own complaint says more
      const complaint = await health.guard(told[1])
      throw new UserError(`webgpu: kernel ${made.key}: ${complaint ?? (error as Error).message}`)
    }
  }

  /** Waits for what is being compiled; nothing more is begun, and who waits for more hears that. */
  async end(): Promise<void> {
    this.isEnded = true
    while (this.running.size > 0) await Promise.all(this.running)
  }
}
