/**
 * The CUDA device: kernels of kernels/cuda on one NVIDIA GPU, or emulated on the CPU for tests. A run is one graph, which
 * the addon puts behind all that was asked for before; several may be under way, and the event loop never waits.
 */
import { UserError } from '../error.js'
import { encodeProgram } from './addon.js'
import {
  type CudaAddon,
  type CudaBufferHandle,
  type CudaProgramHandle,
  cudaVersion,
  describeCall,
  loadCudaAddon,
  unavailable,
} from './cuda_addon.js'
import type { Device, DeviceBuffer, DeviceInfo, Prepared, TimelineEvent } from './device.js'
import { calls, type Program } from './program.js'
import { scalarBits } from './scalars.js'

export interface CudaOptions {
  /** Which GPU, from 0. */
  index?: number
  /** Over the block emulator, without a GPU. */
  emulated?: boolean
}

class CudaBuffer implements DeviceBuffer {
  constructor(
    readonly handle: CudaBufferHandle,
    readonly bytes: number,
    readonly label: string,
  ) {}
}

class CudaPrepared implements Prepared {
  constructor(
    readonly program: Program,
    readonly handle: CudaProgramHandle,
  ) {}
}

/** What the device is. Throws a UsageError when there is none. */
function inspect(addon: CudaAddon, name: 'cuda' | 'cuda-emulated', index: number): DeviceInfo {
  const { driver, runtime, reason, devices } = addon.devices()
  const built = `this build is of CUDA ${cudaVersion(runtime)}`
  if (driver === 0) throw unavailable(name, `no driver of NVIDIA is found (${reason})`)
  if (devices.length === 0)
    throw unavailable(name, `${reason} (the driver is of CUDA ${cudaVersion(driver)}, ${built})`)
  if (index >= devices.length)
    throw unavailable(
      name,
      `there is no cuda:${index}, ${devices.length === 1 ? 'only cuda:0' : `the last is cuda:${devices.length - 1}`}`,
    )
  const { name: gpu, capability, multiprocessors, bytes } = devices[index]
  if (capability < 80)
    throw unavailable(
      name,
      `cuda:${index} is ${gpu} of compute capability ${capability / 10} (want 8.0 or later)`,
    )
  const gib = `${(bytes / 2 ** 30).toFixed(1)} GiB`
  return {
    name,
    detail: `${gpu}, compute capability ${(capability / 10).toFixed(1)}, ${multiprocessors} multiprocessors, ${gib}`,
    facts: {
      gpu,
      index,
      capability,
      multiprocessors,
      driver: cudaVersion(driver),
      runtime: cudaVersion(runtime),
    },
  }
}

/** What the addon refuses, as an error for people. */
function told<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new UserError((error as Error).message)
  }
}

async function toldLater<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new UserError((error as Error).message)
  }
}

/** Opens a GPU. Throws a UsageError that says what is missing. */
export function openCuda({ index = 0, emulated = false }: CudaOptions = {}): Device {
  const name = emulated ? 'cuda-emulated' : 'cuda'
  const addon = loadCudaAddon(emulated)
  const info = inspect(addon, name, index)
  const handle = told(() => addon.open(index))
  const kernelIndex = new Map(addon.kernels().map((k, i) => [k.name, i]))
  const buffers = new Set<CudaBuffer>()
  let bytes = 0
  let ended: Promise<void> | undefined

  const release = (buffer: CudaBuffer) => {
    if (!buffers.delete(buffer)) return
    addon.free(buffer.handle)
    bytes -= buffer.bytes
  }
  const alive = () => {
    if (ended) throw new UserError(`the ${name} device was closed`)
  }
  const execute = (prepared: Prepared, scalars: Readonly<Record<string, number>>, timeline: boolean) => {
    const { program, handle } = prepared as CudaPrepared
    const bits = scalarBits(program, scalars)
    return toldLater(async () => {
      alive()
      return addon.run(handle, bits, timeline)
    })
  }
  const end = async () => {
    // a lost device ends as well
    await toldLater(() => addon.sync(handle)).catch(() => undefined)
    for (const buffer of [...buffers]) release(buffer)
    addon.close(handle)
  }

  return {
    info,
    alignment: 256,
    timelineClock: 'device',
    get bytes() {
      return bytes + (ended ? 0 : addon.workingBytes(handle))
    },
    get available() {
      alive()
      return told(() => addon.memory(handle).free)
    },
    supports: (kernel) => kernelIndex.has(kernel),
    alloc(size, label) {
      alive()
      const buffer = new CudaBuffer(
        told(() => addon.alloc(handle, size, label)),
        size,
        label,
      )
      buffers.add(buffer)
      bytes += size
      return buffer
    },
    free: (buffer) => release(buffer as CudaBuffer),
    write: (buffer, offset, data) =>
      toldLater(async () => {
        alive()
        const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        return addon.write((buffer as CudaBuffer).handle, offset, view)
      }),
    read: (buffer, offset, size) =>
      toldLater(async () => {
        alive()
        const target = new ArrayBuffer(size)
        await addon.read((buffer as CudaBuffer).handle, offset, new Uint8Array(target))
        return target
      }),
    prepare(program, arenas) {
      alive()
      const handles = arenas.map((a) => (a as CudaBuffer).handle)
      const names = program.scalars.map((s) => s.name)
      const isFloat = Uint8Array.from(program.scalars, (s) => (s.type === 'f32' ? 1 : 0))
      const labels = Array.from(calls(program), describeCall)
      const code = encodeProgram(program, kernelIndex, { device: name, capacities: true })
      return new CudaPrepared(
        program,
        told(() => addon.prepare(handle, program.name, handles, names, isFloat, labels, code)),
      )
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
    sync: () =>
      toldLater(async () => {
        alive()
        return addon.sync(handle)
      }),
    destroy() {
      ended ??= end()
      return ended
    },
  }
}
