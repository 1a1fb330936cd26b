/**
 * The machine's measured ceilings, on the instruction set and threads that the benches use: floating-point
 * operations a second of multiply-adds in registers, and bytes a second of a copy beyond the caches (read + written).
 * Each is the best of a few runs of a kernel of kernels/cpu/peak.cc.
 */
import { openCpu } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import { kernel } from '../../src/device/kernel.js'
import type { Program } from '../../src/device/program.js'

const multiplyAdd = kernel('peak_multiply_add', { y: 'accumulate' }, { tasks: 'u32', steps: 'u32' })
const copy = kernel('peak_copy', { x: 'read', y: 'write' }, { n: 'u32' })

/** 10^9 of something a second, and the device that reached it. */
export interface Peaks {
  gflops: number
  gigabytes: number
  facts: Readonly<Record<string, string | number>>
}

/** Measures both on a CPU device of its own, in about a second. */
export async function measurePeaks(): Promise<Peaks> {
  const device = openCpu()
  try {
    const gflops = await measureGflops(device)
    return { gflops, gigabytes: await measureGigabytes(device), facts: device.info.facts }
  } finally {
    await device.destroy()
  }
}

async function measureGflops(device: Device): Promise<number> {
  const tasks = 256
  const steps = 12 * 16 * 20_000
  const ref = { arena: 0, offset: 0, bytes: tasks * 4, stride: 0, shift: 0, modulo: 1 }
  const program: Program = {
    name: 'peak',
    arenas: [{ name: 'y', bytes: tasks * 4 }],
    scalars: [],
    steps: [
      {
        kind: 'call',
        kernel: multiplyAdd,
        refs: [ref],
        params: [tasks, steps],
        label: 'peak',
        flops: 0,
        bytes: 0,
      },
    ],
  }
  const seconds = await best(device, program, 5)
  return (2 * tasks * steps) / seconds / 1e9
}

async function measureGigabytes(device: Device): Promise<number> {
  const n = 64 * 1024 * 1024
  const ref = (arena: number) => ({ arena, offset: 0, bytes: n * 4, stride: 0, shift: 0, modulo: 1 })
  const program: Program = {
    name: 'peak',
    arenas: [
      { name: 'x', bytes: n * 4 },
      { name: 'y', bytes: n * 4 },
    ],
    scalars: [],
    steps: [
      {
        kind: 'call',
        kernel: copy,
        refs: [ref(0), ref(1)],
        params: [n],
        label: 'peak',
        flops: 0,
        bytes: 0,
      },
    ],
  }
  return (8 * n) / (await best(device, program, 6)) / 1e9
}

/** Seconds of the fastest run after one that warms up (and touches the memory for the first time). */
async function best(device: Device, program: Program, runs: number): Promise<number> {
  const buffers = program.arenas.map((arena) => device.alloc(arena.bytes, arena.name))
  const prepared = device.prepare(program, buffers)
  let fastest = Number.POSITIVE_INFINITY
  for (let run = 0; run <= runs; run++) {
    const start = performance.now()
    await device.run(prepared, {})
    const seconds = (performance.now() - start) / 1000
    if (run > 0 && seconds < fastest) fastest = seconds
  }
  for (const buffer of buffers) device.free(buffer)
  return fastest
}
