/**
 * A device's measured ceilings: operations a second of multiply-adds in registers, of f32, bf16 and 8-bit integers, and bytes
 * a second of a copy beyond the caches (read + written). Each is the best of a few runs of a kernel of kernels/cpu/peak.cc on the
 * same instruction set and threads as everything else. Benches and profiles compare with them.
 */
import type { Device } from './device.js'
import { type Kernel, kernel } from './kernel.js'
import type { ParamValue, Program, Ref } from './program.js'

const multiplyAdd = kernel('peak_multiply_add', { y: 'accumulate' }, { tasks: 'u32', steps: 'u32' })
const multiplyAddInt8 = kernel('peak_multiply_add_int8', { y: 'write' }, { tasks: 'u32', steps: 'u32' })
const multiplyAddBf16 = kernel('peak_multiply_add_bf16', { y: 'write' }, { tasks: 'u32', steps: 'u32' })
const copy = kernel('peak_copy', { x: 'read', y: 'write' }, { n: 'u32' })

/** 10^9 of something a second. */
export interface Peaks {
  readonly gflops: number
  /** Of products of bf16: those of f32 where the instruction set has none of its own. */
  readonly bf16: number
  readonly int8: number
  readonly gigabytes: number
}

/** The higher of two measurements, for others may have had the processor during one of them. */
export function higherPeaks(a: Peaks, b: Peaks): Peaks {
  return {
    gflops: Math.max(a.gflops, b.gflops),
    bf16: Math.max(a.bf16, b.bf16),
    int8: Math.max(a.int8, b.int8),
    gigabytes: Math.max(a.gigabytes, b.gigabytes),
  }
}

/** The roof of compute for a kernel. */
export function computePeak(peaks: Peaks, kernel: Pick<Kernel, 'products'>): number {
  return kernel.products === undefined ? peaks.gflops : peaks[kernel.products]
}

/** Measures all in about a second, with half a GiB of memory; undefined on a device without the kernels for it. */
export async function measurePeaks(device: Device): Promise<Peaks | undefined> {
  if (![multiplyAdd, multiplyAddInt8, copy].every(({ name }) => device.supports(name))) return undefined
  const tasks = 256
  const steps = 12 * 16 * 20_000
  const whole = (arena: number, bytes: number): Ref => ({
    arena,
    offset: 0,
    bytes,
    stride: 0,
    shift: 0,
    modulo: 1,
  })
  const arithmetic = async (kernel: Kernel, steps: number): Promise<number> => {
    const seconds = await best(device, program(kernel, [whole(0, tasks * 4)], [tasks, steps]), 5)
    return (2 * tasks * steps) / seconds / 1e9
  }
  const gflops = await arithmetic(multiplyAdd, steps)
  const int8 = await arithmetic(multiplyAddInt8, 2 * steps)
  const bf16 = device.supports(multiplyAddBf16.name) ? await arithmetic(multiplyAddBf16, 2 * steps) : gflops
  const n = 64 * 1024 * 1024
  const copies = program(copy, [whole(0, n * 4), whole(1, n * 4)], [n])
  return { gflops, bf16, int8, gigabytes: (8 * n) / (await best(device, copies, 6)) / 1e9 }
}

/** One call, with an arena for each of its buffers. */
function program(one: Kernel, refs: readonly Ref[], params: readonly ParamValue[]): Program {
  return {
    name: 'peak',
    arenas: refs.map(({ bytes }, i) => ({ name: one.buffers[i].name, bytes })),
    scalars: [],
    steps: [{ kind: 'call', kernel: one, refs, params, label: one.name }],
  }
}

/** Seconds of the fastest run after one that warms up (and touches the memory for the first time). */
async function best(device: Device, program: Program, runs: number): Promise<number> {
  const buffers = program.arenas.map((arena) => device.alloc(arena.bytes, arena.name))
  try {
    const prepared = device.prepare(program, buffers)
    let fastest = Number.POSITIVE_INFINITY
    for (let run = 0; run <= runs; run++) {
      const start = performance.now()
      await device.run(prepared, {})
      const seconds = (performance.now() - start) / 1000
      if (run > 0 && seconds < fastest) fastest = seconds
    }
    return fastest
  } finally {
    for (const buffer of buffers) device.free(buffer)
  }
}
