/**
 * The CPU device: C++ kernels of one instruction set, run by a thread pool of the addon. A run is one native call on
 * a thread of its own; the event loop stays free.
 */
import { isaFromEnvironment, pinFromEnvironment, threadsFromEnvironment } from '../environment.js'
import { UsageError, UserError } from '../error.js'
import { type BufferHandle, encodeProgram, loadAddon, type Processor, type ProgramHandle } from './addon.js'
import type { Device, DeviceBuffer, DeviceInfo, Prepared, TimelineEvent } from './device.js'
import type { Program } from './program.js'
import { scalarBits } from './scalars.js'

export interface CpuOptions {
  /** Instruction set; the best one that processor and build have if left out. */
  isa?: string
  /** Threads; one per core if left out. */
  threads?: number
  /** Bind threads to cores if there are no more threads than cores; unless BIOALBERT_PIN is 0 if left out. */
  pin?: boolean
}

class CpuBuffer implements DeviceBuffer {
  constructor(
    readonly handle: BufferHandle,
    readonly bytes: number,
    readonly label: string,
  ) {}
}

class CpuPrepared implements Prepared {
  constructor(
    readonly program: Program,
    readonly handle: ProgramHandle,
  ) {}
}

/** What the processor offers. */
export function cpuInfo(): Processor {
  return loadAddon().processor()
}

/** What a processor that has not got an instruction set is told: those of the other architecture are nowhere near. */
function whyNot(isa: string): string {
  const here = process.arch === 'arm64' ? 'AArch64' : process.arch === 'x64' ? 'x86-64' : process.arch
  const home = /^neon/.test(isa) ? 'AArch64' : /^(avx|amx)/.test(isa) ? 'x86-64' : here
  return home === here ? 'not available here' : `one of ${home}, and this is ${here}`
}

/** Faster instruction sets of this processor than the one in use, each with why it is not. */
export function unusedIsas(processor: Processor, isa: string, chosenBy: string): Record<string, string> {
  const faster = processor.isas.slice(processor.isas.indexOf(isa) + 1)
  return Object.fromEntries([
    ...faster.map((name) => [name, `${chosenBy} is ${isa}`]),
    ...processor.refused.map(({ isa: name, reason }) => [name, reason]),
  ])
}

/** Opens the CPU device. Throws a UsageError for an instruction set that is not there. */
export function openCpu(options: CpuOptions = {}): Device {
  const addon = loadAddon()
  const processor = addon.processor()
  const isa = options.isa ?? isaFromEnvironment() ?? processor.isas.at(-1)!
  if (![...processor.isas, ...processor.emulated].includes(isa))
    throw new UsageError(
      `instruction set ${isa} is ${whyNot(isa)} (want one of ${processor.isas.join(', ')})`,
    )
  const threads = options.threads ?? threadsFromEnvironment() ?? processor.cores
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024)
    throw new UsageError(`threads is ${threads} (want a whole number from 1 to 1024)`)

  const engine = addon.open(isa, threads, options.pin ?? pinFromEnvironment())
  const kernelIndex = new Map(addon.kernels(engine).map((k, i) => [k.name, i]))
  const poolBytes = addon.poolBytes(engine)
  const buffers = new Set<CpuBuffer>()
  let bytes = poolBytes
  let queue: Promise<unknown> = Promise.resolve()

  /** Runs one thing after the other, whatever became of the one before. */
  const inOrder = <T>(task: () => T | Promise<T>): Promise<T> => {
    const result = queue.then(task, task)
    queue = result.catch(() => undefined)
    return result
  }
  const release = (buffer: CpuBuffer) => {
    if (!buffers.delete(buffer)) return
    addon.free(buffer.handle)
    bytes -= buffer.bytes
  }
  const execute = (prepared: Prepared, scalars: Readonly<Record<string, number>>, timeline: boolean) => {
    const { program, handle } = prepared as CpuPrepared
    const bits = scalarBits(program, scalars)
    return inOrder(() => addon.run(handle, bits, timeline))
  }

  const info: DeviceInfo = {
    name: 'cpu',
    detail: `${processor.name}, ${isa}, ${threads} thread${threads === 1 ? '' : 's'}`,
    facts: { processor: processor.name, isa, threads },
    properties: {
      isa,
      unused: unusedIsas(processor, isa, options.isa === undefined ? 'BIOALBERT_ISA' : 'the isa asked for'),
    },
  }
  return {
    info,
    alignment: 64,
    timelineClock: 'device',
    get bytes() {
      return bytes
    },
    supports: (kernel) => kernelIndex.has(kernel),
    alloc(size, label) {
      const buffer = new CpuBuffer(addon.alloc(size, label), size, label)
      buffers.add(buffer)
      bytes += size
      return buffer
    },
    free: (buffer) => release(buffer as CpuBuffer),
    write: (buffer, offset, data) =>
      inOrder(() =>
        addon.write(
          (buffer as CpuBuffer).handle,
          offset,
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        ),
      ),
    read: (buffer, offset, size) =>
      inOrder(() => {
        const target = new ArrayBuffer(size)
        addon.read((buffer as CpuBuffer).handle, offset, new Uint8Array(target))
        return target
      }),
    prepare(program, arenas) {
      const isFloat = Uint8Array.from(program.scalars, (s) => (s.type === 'f32' ? 1 : 0))
      const handles = arenas.map((a) => (a as CpuBuffer).handle)
      const code = encodeProgram(program, kernelIndex)
      try {
        return new CpuPrepared(program, addon.prepare(engine, handles, isFloat, code))
      } catch (error) {
        throw new UserError((error as Error).message)
      }
    },
    run: async (prepared, scalars) => {
      await execute(prepared, scalars, false)
    },
    async timeline(prepared, scalars) {
      const flat = await execute(prepared, scalars, true)
      const events: TimelineEvent[] = []
      for (let i = 0; i < flat.length; i += 4)
        events.push({ call: flat[i], iteration: flat[i + 1], start: flat[i + 2], duration: flat[i + 3] })
      return events
    },
    sync: () => inOrder(() => undefined),
    async destroy() {
      await inOrder(() => {
        for (const buffer of [...buffers]) release(buffer)
        addon.close(engine)
      })
    },
  }
}
