/**
 * A program prepared for WebGPU: one bind group for every dispatch of every iteration, and one uniform buffer with the
 * parameters of all calls, 256 bytes apart. A run patches the run-time scalars in the host's copy of that buffer, writes what
 * changed and encodes all dispatches into one command buffer.
 *
 * One bind group with dynamic offsets for all iterations of a repeat is not what this does: to make the groups is next to
 * nothing beside shaders and pipelines, which are made once.
 */
import { UserError } from '../../error.js'
import type { Prepared } from '../device.js'
import { type Call, ITERATION, type Program } from '../program.js'
import { USAGE, type WebgpuBuffer } from './buffer.js'
import type { Health } from './health.js'
import type { Pipeline, Pipelines } from './pipelines.js'
import {
  type Bindings,
  bytesBeside,
  type Execution,
  layOut,
  SLOT_BYTES,
  start,
  type Window,
} from './ranges.js'
import type { WgslEntry, WgslKernel } from './source.js'

/** What all programs of a device share. */
export interface ProgramSource {
  readonly device: GPUDevice
  readonly health: Health
  readonly kernels: ReadonlyMap<string, readonly WgslKernel[]>
  readonly pipelines: Pipelines
  /** Bytes that a kernel can be bound to at most. */
  readonly block: number
}

/** A copy of bytes between an arena and a staging buffer. */
interface StagedCopy {
  readonly arena: GPUBuffer
  readonly offset: number
  readonly stage: GPUBuffer
  readonly at: number
  readonly bytes: number
}

interface Dispatch {
  readonly pipeline: Pipeline
  readonly group: GPUBindGroup
  /** Known when the program is prepared, or from the parameters of the run. */
  readonly workgroups: number | (() => number)
}

/** One execution of one call. */
export interface Step {
  readonly call: number
  readonly iteration: number
  readonly before: readonly StagedCopy[]
  readonly dispatches: readonly Dispatch[]
  readonly after: readonly StagedCopy[]
}

/** A word of the parameters that a run fills in. */
interface Patch {
  readonly word: number
  readonly scalar: number
  readonly times: number
  readonly isFloat: boolean
}

const MAX_WORKGROUPS = 65535

export class WebgpuPrepared implements Prepared {
  readonly steps: Step[] = []
  /** Waits for the pipelines, rejects with what is wrong with one; undefined once all are there. */
  ready: Promise<void> | undefined
  private readonly words: Uint32Array
  private readonly floats: Float32Array
  private readonly ints: Int32Array
  private readonly patches: Patch[] = []
  private readonly params: GPUBuffer
  private readonly stages: GPUBuffer[] = []
  private readonly scratch: GPUBuffer | undefined
  private isWritten = false
  /** Bytes of device memory that this program holds beside the arenas. */
  readonly bytes: number

  /** Throws a UserError that names the kernel when the program does not fit the device. */
  constructor(
    private readonly source: ProgramSource,
    readonly program: Program,
    readonly arenas: readonly WebgpuBuffer[],
  ) {
    const layout = layOut(program, source.kernels, arenas, source.block)
    this.words = new Uint32Array(layout.parameterBytes / 4)
    this.floats = new Float32Array(this.words.buffer)
    this.ints = new Int32Array(this.words.buffer)
    this.bytes = bytesBeside(layout)
    const { device } = source
    this.params = device.createBuffer({
      label: `${program.name} parameters`,
      size: layout.parameterBytes,
      usage: USAGE.uniform | USAGE.copyTarget,
    })
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget
    for (const size of layout.stageBytes)
      this.stages.push(device.createBuffer({ label: `${program.name} staging`, size, usage }))
    if (layout.scratchBytes > 0)
      this.scratch = device.createBuffer({
        label: `${program.name} scratch`,
        size: layout.scratchBytes,
        usage: USAGE.storage,
      })
    const pipelines = new Set<Pipeline>()
    try {
      let slot = 0
      for (const { execution, kernel, bindings, rounds } of layout.executions) {
        const step = this.makeStep(execution, kernel, bindings, slot, rounds)
        slot += rounds * SLOT_BYTES
        this.steps.push(step)
        for (const { pipeline } of step.dispatches) pipelines.add(pipeline)
      }
    } catch (error) {
      this.free()
      throw error
    }
    const missing = [...pipelines].filter(({ pipeline }) => !pipeline)
    if (missing.length > 0) {
      this.ready = Promise.all(missing.map(({ ready }) => ready)).then(() => {
        this.ready = undefined
      })
      // a program that is never run has nobody who hears of it
      this.ready.catch(() => undefined)
    }
  }

  private makeStep(
    { call, index, iteration }: Execution,
    kernel: WgslKernel,
    { staged, windows }: Bindings,
    firstSlot: number,
    rounds: number,
  ): Step {
    for (let round = 0; round < rounds; round++)
      this.setParams(call, iteration, (firstSlot + round * SLOT_BYTES) / 4, round)
    const copies = staged.map((s, i) => {
      let at = 0
      return this.arenas[s.arena].pieces(s.offset, s.bytes).map(({ gpu, offset, bytes }): StagedCopy => {
        const copy = { arena: gpu, offset, stage: this.stages[i], at, bytes }
        at += bytes
        return copy
      })
    })
    const wide = windows[0]?.pieces
    const resources = call.refs.map((ref, k): GPUBufferBinding | undefined => {
      if (wide?.has(k)) return undefined
      const stage = staged.findIndex((s) => s.slot === k)
      if (stage >= 0) return { buffer: this.stages[stage], offset: 0, size: ref.bytes }
      const [{ gpu, offset }] = this.arenas[ref.arena].pieces(start(ref, iteration), ref.bytes)
      return { buffer: gpu, offset, size: ref.bytes }
    })
    const bind = (entry: WgslEntry, round: number, window?: Window): Dispatch => {
      const slot = firstSlot + round * SLOT_BYTES
      const constants: Record<string, number> = window ? { BLOCK_START: window.first } : {}
      const pipeline = this.source.pipelines.get(kernel, entry, constants)
      const resource = (binding: number): GPUBufferBinding => {
        if (binding === kernel.paramsBinding) return { buffer: this.params, offset: slot, size: SLOT_BYTES }
        if (binding === kernel.scratch?.binding) return { buffer: this.scratch! }
        const piece = window?.pieces.get(binding)
        return piece ? { buffer: piece.gpu, offset: piece.offset, size: piece.bytes } : resources[binding]!
      }
      const group = this.source.device.createBindGroup({
        label: call.label,
        layout: pipeline.layout,
        entries: entry.bindings.map((binding) => ({ binding, resource: resource(binding) })),
      })
      return { pipeline, group, workgroups: this.workgroups(call, kernel, entry, slot / 4) }
    }
    const dispatches = inTurns(kernel.entries, rounds).flatMap(({ entry, round }) =>
      wide && entry.bindings.some((binding) => wide.has(binding))
        ? windows.map((window) => bind(entry, round, window))
        : bind(entry, round),
    )
    return {
      call: index,
      iteration,
      before: staged.flatMap((s, i) => (s.copyIn ? copies[i] : [])),
      dispatches,
      after: staged.flatMap((s, i) => (s.copyOut ? copies[i] : [])),
    }
  }

  private workgroups(
    call: Call,
    kernel: WgslKernel,
    entry: WgslEntry,
    first: number,
  ): number | (() => number) {
    const value = (name: string) => this.param(kernel, name, first)
    const isStatic = entry.reads.every((name) => {
      const given = call.params[kernel.params.findIndex((p) => p.name === name)]
      return typeof given === 'number' || given.scalar === ITERATION
    })
    return isStatic ? entry.workgroups(value) : () => entry.workgroups(value)
  }

  private setParams(call: Call, iteration: number, first: number, round: number): void {
    const scalars = new Map(this.program.scalars.map((s, i) => [s.name, i]))
    call.params.forEach((value, i) => {
      const isFloat = call.kernel.params[i].type === 'f32'
      const word = first + i
      let constant: number
      if (typeof value === 'number') constant = value
      else if (value.scalar === ITERATION) constant = iteration * value.times
      else {
        const scalar = scalars.get(value.scalar)
        if (scalar === undefined)
          throw new UserError(
            `${call.label}: scalar ${value.scalar} is not declared by program ${this.program.name}`,
          )
        this.patches.push({ word, scalar, times: value.times, isFloat })
        return
      }
      if (isFloat) this.floats[word] = constant
      else this.ints[word] = constant
    })
    this.ints[first + call.params.length] = round
  }

  private param(kernel: WgslKernel, name: string, first: number): number {
    const index = kernel.params.findIndex((p) => p.name === name)
    const array = { u32: this.words, i32: this.ints, f32: this.floats }[kernel.params[index].type]
    return array[first + index]
  }

  /** Takes the scalars of a run, as bits in the order of the program's scalars. What changed since the last run is written. */
  setScalars(bits: Uint32Array): void {
    const floats = new Float32Array(bits.buffer, bits.byteOffset, bits.length)
    let [first, last] = this.isWritten ? [this.words.length, -1] : [0, this.words.length - 1]
    for (const { word, scalar, times, isFloat } of this.patches) {
      const before = this.words[word]
      if (isFloat) this.floats[word] = floats[scalar] * times
      else this.words[word] = bits[scalar] * times
      if (this.words[word] === before) continue
      first = Math.min(first, word)
      last = Math.max(last, word)
    }
    this.isWritten = true
    if (first <= last)
      this.source.device.queue.writeBuffer(this.params, 4 * first, this.words, first, last + 1 - first)
  }

  /** Throws why there is no memory for one of the arenas, if that is known. */
  throwFailure(): void {
    for (const { failure } of this.arenas) if (failure) throw failure
  }

  free(): void {
    this.params.destroy()
    for (const stage of this.stages) stage.destroy()
    this.scratch?.destroy()
  }
}

/** Entry points in the order in which they run: those in rounds take turns, one beside the other. */
function inTurns(entries: readonly WgslEntry[], rounds: number): { entry: WgslEntry; round: number }[] {
  const order: { entry: WgslEntry; round: number }[] = []
  for (let i = 0; i < entries.length; ) {
    const { inRounds } = entries[i]
    let end = i + 1
    while (inRounds && entries[end]?.inRounds) end++
    for (let round = 0; round < (inRounds ? rounds : 1); round++)
      for (const entry of entries.slice(i, end)) order.push({ entry, round })
    i = end
  }
  return order
}

/** Encodes steps. `descriptor` gives a pass of its own to each step, for its timestamps. */
export function encodeSteps(
  encoder: GPUCommandEncoder,
  steps: readonly Step[],
  descriptor?: (step: number) => GPUComputePassDescriptor,
): void {
  let pass: GPUComputePassEncoder | undefined
  const endPass = () => {
    pass?.end()
    pass = undefined
  }
  steps.forEach((step, i) => {
    if (step.before.length > 0) {
      endPass()
      for (const c of step.before) encoder.copyBufferToBuffer(c.arena, c.offset, c.stage, c.at, c.bytes)
    }
    pass ??= encoder.beginComputePass(descriptor?.(i))
    for (const { pipeline, group, workgroups } of step.dispatches) {
      const count = typeof workgroups === 'number' ? workgroups : workgroups()
      if (!(count >= 0)) throw new Error(`${pipeline.key}: ${count} workgroups`)
      if (count === 0) continue
      const y = Math.ceil(count / MAX_WORKGROUPS)
      pass.setPipeline(pipeline.pipeline!)
      pass.setBindGroup(0, group)
      pass.dispatchWorkgroups(Math.ceil(count / y), y)
    }
    if (step.after.length > 0 || descriptor) endPass()
    for (const c of step.after) encoder.copyBufferToBuffer(c.stage, c.at, c.arena, c.offset, c.bytes)
  })
  endPass()
}
