/**
 * Cycles of a pass of a loop that are to be expected: by llvm-mca with LLVM's model of a core, and by a small model of our own,
 * the largest of what its units can do. Both take data to lie in the first-level cache.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Loop } from './assembly.js'

export interface Core {
  readonly name: string
  /** Instructions that are decoded in a cycle. */
  readonly decode: number
  /** Units for vectors, of which each can begin a product in every cycle. */
  readonly vector: number
  readonly loads: number
  readonly stores: number
  /** Whether a vector that is stored passes through a unit for vectors. */
  readonly storesPassVector: boolean
  /** Cycles from a product to the next that adds to the same sum. */
  readonly latency: number
}

/**
 * Neoverse V2: Arm, Software Optimization Guide (decode 8, four vector units through which stored vectors pass, three
 * loads, two stores, FMLA, BFMMLA and SMMLA in all four units). Apple's M1: as measured by D. Johnson, "Firestorm" (decode 8, four vector units, three loads, two
 * stores, FMLA 4); it has no BFMMLA, which M2 has, taken to go through all four units too.
 */
export const CORES: readonly Core[] = [
  { name: 'Neoverse V2', decode: 8, vector: 4, loads: 3, stores: 2, storesPassVector: true, latency: 4 },
  { name: 'Apple M1', decode: 8, vector: 4, loads: 3, stores: 2, storesPassVector: false, latency: 4 },
]

/** Cycles of a pass, and what takes them. */
export function predict(loop: Loop, core: Core): { cycles: number; bound: string } {
  const bounds: [string, number][] = [
    [
      'vector units',
      (loop.products + loop.otherVector + (core.storesPassVector ? loop.stored : 0)) / core.vector,
    ],
    ['decoding', loop.instructions.length / core.decode],
    ['loads', loop.loads / core.loads],
    ['stores', loop.stores / core.stores],
    // what waits for its own sum, however many there are
    ['latency', loop.chain * core.latency],
  ]
  const [bound, cycles] = bounds.reduce((most, one) => (one[1] > most[1] ? one : most))
  return { cycles, bound }
}

/** What a loop reaches of the multiply-adds that the core could do. */
export function shareOfPeak(loop: Loop, cycles: number, core: Core): number {
  return loop.products / (cycles * core.vector)
}

export interface Mca {
  command: string
  version: number
}

/** The newest llvm-mca that is installed. */
export function findMca(): Mca | undefined {
  const found = new Set<string>()
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter((f) => f !== '' && existsSync(f)))
    for (const file of readdirSync(folder)) if (/^llvm-mca(-\d+)?$/.test(file)) found.add(join(folder, file))
  if (existsSync('/usr/lib'))
    for (const folder of readdirSync('/usr/lib').filter((name) => /^llvm-\d+$/.test(name)))
      found.add(join('/usr/lib', folder, 'bin', 'llvm-mca'))
  let best: Mca | undefined
  for (const command of found) {
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' })
    const version = Number(/LLVM version (\d+)/.exec(stdout ?? '')?.[1])
    if (version > (best?.version ?? 0)) best = { command, version }
  }
  return best
}

/** Cores that LLVM has a model of, the best first: Neoverse V2 since LLVM 17. Its model of Apple's cores is that of 2013. */
export function mcaCore(mca: Mca): string {
  return mca.version >= 17 ? 'neoverse-v2' : 'neoverse-n1'
}

/** Cycles of a pass by llvm-mca, or why there are none. */
export function mcaCycles(mca: Mca, cpu: string, loop: Loop): number | string {
  const passes = 200
  const text = [`${loop.label}:`, ...loop.instructions].join('\n')
  const argv = ['-mtriple=aarch64', `-mcpu=${cpu}`, '-mattr=+bf16,+i8mm,+dotprod', `-iterations=${passes}`]
  const { stdout, stderr, status } = spawnSync(mca.command, [...argv, '-instruction-info=false', '-'], {
    input: `${text}\n`,
    encoding: 'utf8',
  })
  const cycles = /^Total Cycles:\s+(\d+)/m.exec(stdout ?? '')?.[1]
  return status === 0 && cycles !== undefined ? Number(cycles) / passes : stderr.trim().split('\n')[0]
}
