/**
 * The byte ranges of a program on WebGPU: what every execution of a call binds, what of it goes through a copy, and what does not
 * fit at all.
 *
 * WebGPU refuses two writable bindings that overlap, offsets that are not multiples of 256, and a binding across two buffers. A
 * range that is bound twice to one call, stands at another offset or lies across blocks is therefore bound through a copy
 * ("staged").
 */
import { UserError } from '../../error.js'
import type { Call, Program, Ref } from '../program.js'
import { mebibytes, OFFSET_ALIGNMENT, type Piece, type WebgpuBuffer } from './buffer.js'
import { formFor, type WgslKernel } from './source.js'

export interface Execution {
  readonly call: Call
  /** Among `calls(program)`. */
  readonly index: number
  readonly iteration: number
}

/** Every execution of every call, in order. */
function* unroll(program: Program): Generator<Execution> {
  let index = 0
  for (const step of program.steps) {
    if (step.kind === 'call') {
      yield { call: step, index: index++, iteration: 0 }
      continue
    }
    for (let i = 0; i < step.count; i++) {
      const iteration = step.reverse ? step.count - 1 - i : i
      for (let k = 0; k < step.body.length; k++) yield { call: step.body[k], index: index + k, iteration }
    }
    index += step.body.length
  }
}

export function start(ref: Ref, iteration: number): number {
  return ref.offset + (ref.stride === 0 ? 0 : ((iteration + ref.shift) % ref.modulo) * ref.stride)
}

/** A range that a call sees through a staging buffer. */
export interface Staged {
  readonly slot: number
  readonly arena: number
  readonly offset: number
  readonly bytes: number
  readonly copyIn: boolean
  readonly copyOut: boolean
}

/** What is bound in one of the runs of a kernel that runs once a block. */
export interface Window {
  /** Elements of four bytes of the range that lie in blocks before. */
  readonly first: number
  /** By slot. */
  readonly pieces: ReadonlyMap<number, Piece>
}

/** How one execution of a call reaches what it binds. */
export interface Bindings {
  readonly staged: readonly Staged[]
  /** None where all that is not staged is bound where it lies. */
  readonly windows: readonly Window[]
}

/**
 * Whether a kernel may run once a block: it walks an arena by chunks of a table, none of which lies across blocks, takes
 * BLOCK_START from where a chunk begins and skips what then lies outside of what is bound.
 */
function runsByBlocks({ entries }: WgslKernel): boolean {
  return entries.some(({ code }) => /^override BLOCK_START: u32 = 0;/m.test(code))
}

/** How an execution binds its ranges. Throws a UserError that names the slot where it cannot. */
function bindingsOf(
  { call, iteration }: Execution,
  kernel: WgslKernel,
  arenas: readonly WebgpuBuffer[],
  block: number,
): Bindings {
  const staged: Staged[] = []
  const ranges = call.refs.map((ref) => {
    const from = start(ref, iteration)
    return { arena: ref.arena, bytes: ref.bytes, from, pieces: arenas[ref.arena].pieces(from, ref.bytes) }
  })
  const overlaps = (i: number, k: number) =>
    ranges[i].arena === ranges[k].arena &&
    ranges[i].from < ranges[k].from + ranges[k].bytes &&
    ranges[k].from < ranges[i].from + ranges[i].bytes
  const direct: number[] = []
  const wide: number[] = []
  // what a kernel writes is bound first, so that it is the reader of shared memory that is staged
  const order = ranges.map((_, k) => k)
  const reads = (k: number) => call.kernel.buffers[k].access === 'read'
  order.sort((i, k) => Number(reads(i)) - Number(reads(k)) || i - k)
  for (const k of order) {
    const { access, name } = call.kernel.buffers[k]
    const { arena, from: offset, bytes, pieces } = ranges[k]
    const other = [...direct, ...wide].find((i) => overlaps(i, k))
    if (other !== undefined && access !== 'read')
      throw new UserError(
        `${call.label}: ${call.kernel.buffers[other].name} and ${name} are both written and overlap, on webgpu`,
      )
    const isFree = other === undefined && offset % OFFSET_ALIGNMENT === 0
    if (isFree && pieces.length === 1) direct.push(k)
    else if (isFree && runsByBlocks(kernel)) wide.push(k)
    else {
      if (bytes > block)
        throw new UserError(
          `${call.label}: ${name} has ${bytes} bytes (${mebibytes(bytes)}), this adapter lets a kernel see ${block} (${mebibytes(block)}) at most`,
        )
      const copyOut = access !== 'read' && access !== 'scratch'
      // a run-time size may leave rows of a written range untouched, so its old contents are staged as well
      staged.push({ slot: k, arena, offset, bytes, copyIn: access !== 'scratch', copyOut })
    }
  }
  return { staged, windows: windowsOf(call, wide, ranges) }
}

/** The runs of a kernel once a block; its wide ranges must be cut alike. */
function windowsOf(call: Call, wide: readonly number[], ranges: readonly { pieces: Piece[] }[]): Window[] {
  if (wide.length === 0) return []
  const [{ pieces: leader }, ...others] = wide.map((k) => ranges[k])
  for (const { pieces } of others)
    if (pieces.length !== leader.length || pieces.some(({ bytes }, b) => bytes !== leader[b].bytes))
      throw new UserError(
        `${call.label}: ${wide.map((k) => call.kernel.buffers[k].name).join(', ')} lie in blocks that are not cut alike, on webgpu`,
      )
  let first = 0
  return leader.map(({ bytes }, b) => {
    const window = { first, pieces: new Map(wide.map((k) => [k, ranges[k].pieces[b]])) }
    first += bytes / 4
    return window
  })
}

/** All executions of a program and how each is bound. */
export interface ProgramLayout {
  readonly executions: readonly {
    readonly execution: Execution
    readonly kernel: WgslKernel
    readonly bindings: Bindings
    /** Each has parameters of its own. */
    readonly rounds: number
  }[]
  /** Bytes of the memory that kernels want beside their buffers, which all of them share. */
  readonly scratchBytes: number
  /** Sizes of the buffers through which ranges are seen that cannot be bound where they lie. */
  readonly stageBytes: readonly number[]
  readonly parameterBytes: number
}

/** Bytes of the parameters of an execution: what offsets of uniform bindings are multiples of. */
export const SLOT_BYTES = 256

/** Throws a UserError that names the kernel when the program does not fit the device. */
export function layOut(
  program: Program,
  kernels: ReadonlyMap<string, readonly WgslKernel[]>,
  arenas: readonly WebgpuBuffer[],
  block: number,
): ProgramLayout {
  const unrolled = [...unroll(program)]
  for (const { call } of unrolled) checkCall(kernels, call)
  for (const { call, iteration } of unrolled) checkRanges(program, call, iteration, arenas)
  const stageBytes: number[] = []
  let scratchBytes = 0
  const executions = unrolled.map((execution) => {
    const kernel = formOf(kernels.get(execution.call.kernel.name)!, execution.call)
    const bindings = bindingsOf(execution, kernel, arenas, block)
    bindings.staged.forEach(({ bytes }, i) => {
      stageBytes[i] = Math.max(stageBytes[i] ?? 0, bytes)
    })
    scratchBytes = Math.max(scratchBytes, scratchOf(execution, kernel, block))
    const known = (name: string) => parameterOf(execution.call, name) ?? Number.NaN
    const rounds = kernel.rounds?.(known) ?? 1
    if (!Number.isInteger(rounds)) throw new Error(`${kernel.label}: ${rounds} rounds`)
    return { execution, kernel, bindings, rounds }
  })
  const slots = executions.reduce((sum, { rounds }) => sum + rounds, 0)
  return { executions, scratchBytes, stageBytes, parameterBytes: Math.max(slots, 1) * SLOT_BYTES }
}

/** A parameter that no run changes. */
function parameterOf(call: Call, name: string): number | undefined {
  const value = call.params[call.kernel.params.findIndex((p) => p.name === name)]
  return typeof value === 'number' ? value : undefined
}

/** Bytes of memory that a call wants beside its buffers. Throws where a kernel cannot see so much. */
function scratchOf({ call }: Execution, { scratch }: WgslKernel, block: number): number {
  if (!scratch) return 0
  const words = (name: string) => {
    const slot = call.kernel.buffers.findIndex((buffer) => buffer.name === name)
    return slot < 0 ? (parameterOf(call, name) ?? Number.NaN) : call.refs[slot].bytes / 4
  }
  const bytes = 4 * scratch.words(words)
  if (!Number.isInteger(bytes)) throw new Error(`${call.label}: ${bytes} bytes of scratch memory`)
  if (bytes > block)
    throw new UserError(
      `${call.label}: it works on ${bytes} bytes (${mebibytes(bytes)}) at a time, this adapter lets a kernel see ${block} (${mebibytes(block)}) at most`,
    )
  return bytes
}

/** Bytes that a program holds beside its arenas. */
export function bytesBeside({ scratchBytes, stageBytes, parameterBytes }: ProgramLayout): number {
  return stageBytes.reduce((sum, bytes) => sum + bytes, scratchBytes + parameterBytes)
}

/** The form of a kernel for the parameters of a call that no run changes. */
function formOf(forms: readonly WgslKernel[], call: Call): WgslKernel {
  return formFor(forms, (name) => parameterOf(call, name))
}

/** Compares what a call binds with what the WGSL kernel declares. */
function checkCall(kernels: ReadonlyMap<string, readonly WgslKernel[]>, call: Call): void {
  const declared = call.kernel
  const kernel = kernels.get(declared.name)?.[0]
  if (!kernel) throw new UserError(`the webgpu device has no kernel ${declared.name}`)
  const text = (slots: readonly { name: string }[], types: readonly string[]) =>
    slots.map((s, i) => `${s.name}${types[i] ? `: ${types[i]}` : ''}`).join(', ')
  const types = (slots: readonly { type: string }[]) => slots.map((s) => s.type)
  if (text(kernel.buffers, []) !== text(declared.buffers, []) || call.refs.length !== declared.buffers.length)
    throw new UserError(
      `kernel ${declared.name}: the buffers are ${text(kernel.buffers, [])} on webgpu (want ${text(declared.buffers, [])})`,
    )
  const found = text(kernel.params, types(kernel.params))
  const want = text(declared.params, types(declared.params))
  if (found !== want || call.params.length !== declared.params.length)
    throw new UserError(`kernel ${declared.name}: the parameters are ${found} on webgpu (want ${want})`)
}

function checkRanges(program: Program, call: Call, iteration: number, arenas: readonly WebgpuBuffer[]): void {
  call.refs.forEach((ref, k) => {
    const from = start(ref, iteration)
    const arena = arenas[ref.arena]
    const slot = call.kernel.buffers[k].name
    if (!arena || from < 0 || ref.bytes < 4 || from + ref.bytes > arena.bytes || from % 4 || ref.bytes % 4)
      throw new UserError(
        `${call.label}: ${slot} is bytes ${from} to ${from + ref.bytes} of arena ${program.arenas[ref.arena]?.name ?? ref.arena}, which has ${arena?.bytes ?? 0}`,
      )
  })
}
