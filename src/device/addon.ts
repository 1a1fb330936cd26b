/** The typed door to the CPU addon (native/addon.cc) and the encoding of programs for it. */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { addonFromEnvironment } from '../environment.js'
import { UserError } from '../error.js'
import { packageRoot } from '../paths.js'
import type { DeviceName } from './device.js'
import { type Call, ITERATION, type Program } from './program.js'

declare const handle: unique symbol
export type EngineHandle = { readonly [handle]: 'engine' }
export type BufferHandle = { readonly [handle]: 'buffer' }
export type ProgramHandle = { readonly [handle]: 'program' }

export interface Processor {
  name: string
  cores: number
  /** Instruction sets that may be used, slowest first. */
  isas: string[]
  /** Those in plain C++ on top of them, for tests: never chosen by themselves. */
  emulated: string[]
  /** Others that the processor has, and why they may not be used. */
  refused: { isa: string; reason: string }[]
}

export interface Addon {
  processor(): Processor
  open(isa: string, threads: number, pin: boolean): EngineHandle
  kernels(engine: EngineHandle): { name: string; buffers: number; params: number }[]
  poolBytes(engine: EngineHandle): number
  alloc(bytes: number, label: string): BufferHandle
  free(buffer: BufferHandle): void
  write(buffer: BufferHandle, offset: number, data: Uint8Array): void
  read(buffer: BufferHandle, offset: number, target: Uint8Array): void
  prepare(
    engine: EngineHandle,
    arenas: readonly BufferHandle[],
    scalarIsFloat: Uint8Array,
    code: Float64Array,
  ): ProgramHandle
  run(program: ProgramHandle, scalarBits: Uint32Array, timeline: boolean): Promise<Float64Array>
  close(handle: EngineHandle | ProgramHandle): void
}

let addon: Addon | undefined

/** native/prebuilt.cjs */
interface Prebuilt {
  addonFile(native: string): string | undefined
  prebuiltTargets(native: string): string[]
  targetOfProcess(): string
}

/** native/tools.cjs */
interface Tools {
  missingTools(): string[]
}

const require = createRequire(import.meta.url)
const native = join(packageRoot, 'native')

/**
 * Loads the addon once: what was built here (native/build/Release), else the binary that was built ahead for this platform
 * and C library (native/prebuilds). Throws a UserError that says what is missing and how to build it.
 */
export function loadAddon(): Addon {
  if (addon) return addon
  const file = findAddon()
  try {
    addon = require(file) as Addon
  } catch (error) {
    const why = (error as Error).message.trim().split('\n')[0]
    throw new UserError(`the native addon ${file} does not load (${why}); ${howToBuild()}`)
  }
  return addon
}

function findAddon(): string {
  const { addonFile, prebuiltTargets, targetOfProcess } = require(join(native, 'prebuilt.cjs')) as Prebuilt
  const file = addonFromEnvironment() ?? addonFile(native)
  if (file !== undefined) return resolve(file)
  const others = prebuiltTargets(native)
  const ahead = others.length > 0 ? `there are those for ${others.join(', ')}` : 'there is none for any'
  throw new UserError(
    `the native addon is not built, and no binary for ${targetOfProcess()} came with the package (${ahead}); ${howToBuild()}`,
  )
}

function howToBuild(): string {
  const missing = (require(join(native, 'tools.cjs')) as Tools).missingTools()
  const how = `build it with \`npm run build:native\` in ${packageRoot}`
  return missing.length > 0 ? `${how}, which wants ${missing.join(' and ')}, not found here` : how
}

/**
 * Numbers that native/addon.cc reads in `prepare`: loops of (count, reverse, calls, then each call). With `capacities` every
 * parameter ends with the largest value of its scalar, 0 where that is not known (native/cuda/code.h).
 */
export function encodeProgram(
  program: Program,
  kernelIndex: ReadonlyMap<string, number>,
  { device = 'cpu', capacities = false }: { device?: DeviceName; capacities?: boolean } = {},
): Float64Array {
  const code: number[] = []
  const scalars = new Map(program.scalars.map((s, i) => [s.name, i + 1]))
  scalars.set(ITERATION, 0)
  const encodeCall = (call: Call) => {
    const index = kernelIndex.get(call.kernel.name)
    if (index === undefined) throw new UserError(`the ${device} device has no kernel ${call.kernel.name}`)
    code.push(index, call.refs.length)
    for (const r of call.refs) code.push(r.arena, r.offset, r.bytes, r.stride, r.shift, r.modulo)
    code.push(call.params.length)
    call.params.forEach((value, i) => {
      const isFloat = call.kernel.params[i].type === 'f32' ? 1 : 0
      if (typeof value === 'number') code.push(-1, isFloat, value)
      else code.push(scalars.get(value.scalar)!, isFloat, value.times)
      if (capacities) code.push(typeof value === 'number' ? 0 : (value.capacity ?? 0))
    })
  }
  for (const step of program.steps) {
    if (step.kind === 'call') {
      code.push(1, 0, 1)
      encodeCall(step)
    } else {
      code.push(step.count, step.reverse ? 1 : 0, step.body.length)
      step.body.forEach(encodeCall)
    }
  }
  return Float64Array.from(code)
}
