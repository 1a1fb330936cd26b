/**
 * A program prepared for WebGPU: pipelines, one bind group for every dispatch of every iteration, and one uniform
 * buffer with the parameters of all calls, 256 bytes apart. A run patches the run-time scalars in the host's copy of
 * that buffer, writes it in one piece and encodes all dispatches into one command buffer.
 *
 * WebGPU refuses two writable bindings that overlap, and offsets that are not multiples of 256. A range that is bound
 * twice to one call, or stands at another offset, is therefore bound through a copy ("staged").
 */
import { UserError } from '../error.js'
import type { DeviceBuffer, Prepared } from './device.js'
import { type Call, ITERATION, type Program, type Ref } from './program.js'
import { formFor, type WgslEntry, type WgslKernel } from './webgpu_source.js'

/** GPUBufferUsage, which Node has not as a global. */
export const USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const

export class WebgpuBuffer implements DeviceBuffer {
  constructor(
    readonly gpu: GPUBuffer,
    readonly bytes: number,
    readonly label: string,
  ) {}
}

/** What all programs of a device share. */
export interface PipelineSource {
  readonly device: GPUDevice
  readonly kernels: ReadonlyMap<string, readonly WgslKernel[]>
  pipeline(kernel: WgslKernel, entry: WgslEntry): { pipeline: GPUComputePipeline; layout: GPUBindGroupLayout }
}

/** A copy of bytes between an arena and a staging buffer. */
interface StagedCopy {
  readonly arena: GPUBuffer
  readonly offset: number
  readonly stage: GPUBuffer
  readonly bytes: number
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline
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

const SLOT_BYTES = 256
const OFFSET_ALIGNMENT = 256
const MAX_WORKGROUPS = 65535

export class WebgpuPrepared implements Prepared {
  readonly steps: Step[] = []
  private readonly words: Uint32Array
  private readonly floats: Float32Array
  private readonly ints: Int32Array
  private readonly patches: Patch[] = []
  private readonly params: GPUBuffer
  private readonly stages: GPUBuffer[] = []
  private readonly stageBytes: number[] = []
  /** Bytes of device memory that this program holds beside the arenas. */
  readonly bytes: number

  /** Throws a UserError that names the kernel when the program does not fit the device. */
  constructor(
    private readonly source: PipelineSource,
    readonly program: Program,
    private readonly arenas: readonly WebgpuBuffer[],
  ) {
    const executions = [...unroll(program)]
    for (const { call } of executions) checkCall(source.kernels, call)
    for (const { call, iteration } of executions) checkRanges(program, call, iteration, arenas)
    const bytes = Math.max(executions.length, 1) * SLOT_BYTES
    const { device } = source
    this.params = device.createBuffer({
      label: `${program.name} parameters`,
      size: bytes,
      usage: USAGE.uniform | USAGE.copyTarget,
    })
    this.words = new Uint32Array(bytes / 4)
    this.floats = new Float32Array(this.words.buffer)
    this.ints = new Int32Array(this.words.buffer)

    const plans = executions.map(({ call, iteration }) => stagePlan(call, iteration))
    for (const plan of plans)
      plan.forEach((s, i) => {
        this.stageBytes[i] = Math.max(this.stageBytes[i] ?? 0, s.bytes)
      })
    for (const size of this.stageBytes)
      this.stages.push(
        device.createBuffer({
          label: `${program.name} staging`,
          size,
          usage: USAGE.storage | USAGE.copySource | USAGE.copyTarget,
        }),
      )
    this.bytes = bytes + this.stageBytes.reduce((a, b) => a + b, 0)
    executions.forEach((execution, i) => {
      this.steps.push(this.makeStep(execution, i * SLOT_BYTES, plans[i]))
    })
  }

  private makeStep({ call, index, iteration }: Execution, slot: number, plan: readonly Staged[]): Step {
    const kernel = formOf(this.source.kernels.get(call.kernel.name)!, call)
    this.setParams(call, iteration, slot / 4)
    const copies = new Map<Staged, StagedCopy>()
    plan.forEach((s, i) => {
      copies.set(s, {
        arena: this.arenas[s.arena].gpu,
        offset: s.offset,
        stage: this.stages[i],
        bytes: s.bytes,
      })
    })
    const resources: GPUBindingResource[] = call.refs.map((ref, k) => {
      const staged = plan.findIndex((s) => s.slots.includes(k))
      if (staged >= 0) return { buffer: this.stages[staged], offset: 0, size: ref.bytes }
      return { buffer: this.arenas[ref.arena].gpu, offset: start(ref, iteration), size: ref.bytes }
    })
    if (kernel.paramsBinding !== undefined)
      resources.push({ buffer: this.params, offset: slot, size: kernel.params.length * 4 })
    const dispatches = kernel.entries.map((entry): Dispatch => {
      const { pipeline, layout } = this.source.pipeline(kernel, entry)
      const group = this.source.device.createBindGroup({
        label: call.label,
        layout,
        entries: entry.bindings.map((binding) => ({ binding, resource: resources[binding] })),
      })
      const value = (name: string) => this.param(kernel, name, slot / 4)
      const isStatic = entry.reads.every((name) => {
        const given = call.params[kernel.params.findIndex((p) => p.name === name)]
        return typeof given === 'number' || given.scalar === ITERATION
      })
      return {
        pipeline,
        group,
        workgroups: isStatic ? entry.workgroups(value) : () => entry.workgroups(value),
      }
    })
    return {
      call: index,
      iteration,
      before: plan.filter((s) => s.copyIn).map((s) => copies.get(s)!),
      dispatches,
      after: plan.filter((s) => s.copyOut).map((s) => copies.get(s)!),
    }
  }

  private setParams(call: Call, iteration: number, first: number): void {
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
  }

  private param(kernel: WgslKernel, name: string, first: number): number {
    const index = kernel.params.findIndex((p) => p.name === name)
    const array = { u32: this.words, i32: this.ints, f32: this.floats }[kernel.params[index].type]
    return array[first + index]
  }

  /** Takes the scalars of a run, as bits in the order of the program's scalars. */
  setScalars(bits: Uint32Array): void {
    const floats = new Float32Array(bits.buffer, bits.byteOffset, bits.length)
    for (const { word, scalar, times, isFloat } of this.patches) {
      if (isFloat) this.floats[word] = floats[scalar] * times
      else this.words[word] = bits[scalar] * times
    }
    this.source.device.queue.writeBuffer(this.params, 0, this.words)
  }

  free(): void {
    this.params.destroy()
    for (const stage of this.stages) stage.destroy()
  }
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
      for (const c of step.before) encoder.copyBufferToBuffer(c.arena, c.offset, c.stage, 0, c.bytes)
    }
    pass ??= encoder.beginComputePass(descriptor?.(i))
    for (const { pipeline, group, workgroups } of step.dispatches) {
      const count = typeof workgroups === 'number' ? workgroups : workgroups()
      if (!(count >= 0)) throw new Error(`${pipeline.label}: ${count} workgroups`)
      if (count === 0) continue
      const y = Math.ceil(count / MAX_WORKGROUPS)
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, group)
      pass.dispatchWorkgroups(Math.ceil(count / y), y)
    }
    if (step.after.length > 0 || descriptor) endPass()
    for (const c of step.after) encoder.copyBufferToBuffer(c.stage, 0, c.arena, c.offset, c.bytes)
  })
  endPass()
}

interface Execution {
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

function start(ref: Ref, iteration: number): number {
  return ref.offset + (ref.stride === 0 ? 0 : ((iteration + ref.shift) % ref.modulo) * ref.stride)
}

/** A range that a call sees through a staging buffer. */
interface Staged {
  readonly arena: number
  readonly offset: number
  readonly bytes: number
  readonly slots: number[]
  readonly copyIn: boolean
  readonly copyOut: boolean
}

/** What has to be staged for one execution of a call. */
function stagePlan(call: Call, iteration: number): Staged[] {
  const plan: Staged[] = []
  const ranges = call.refs.map((ref) => ({ ...ref, from: start(ref, iteration) }))
  const overlaps = (i: number, k: number) =>
    ranges[i].arena === ranges[k].arena &&
    ranges[i].from < ranges[k].from + ranges[k].bytes &&
    ranges[k].from < ranges[i].from + ranges[i].bytes
  const direct: number[] = []
  // what a kernel writes is bound first, so that it is the reader of shared memory that is staged
  const order = ranges.map((_, k) => k)
  const reads = (k: number) => call.kernel.buffers[k].access === 'read'
  order.sort((i, k) => Number(reads(i)) - Number(reads(k)) || i - k)
  for (const k of order) {
    const { access, name } = call.kernel.buffers[k]
    const { arena, from: offset, bytes } = ranges[k]
    const other = direct.find((i) => overlaps(i, k))
    if (other !== undefined && access !== 'read')
      throw new UserError(
        `${call.label}: ${call.kernel.buffers[other].name} and ${name} are both written and overlap, on webgpu`,
      )
    if (other === undefined && offset % OFFSET_ALIGNMENT === 0) direct.push(k)
    else {
      const copyOut = access !== 'read' && access !== 'scratch'
      // a run-time size may leave rows of a written range untouched, so its old contents are staged as well
      plan.push({ arena, offset, bytes, slots: [k], copyIn: access !== 'scratch', copyOut })
    }
  }
  return plan
}

/** The form of a kernel for the parameters of a call that no run changes. */
function formOf(forms: readonly WgslKernel[], call: Call): WgslKernel {
  return formFor(forms, (name) => {
    const value = call.params[call.kernel.params.findIndex((p) => p.name === name)]
    return typeof value === 'number' ? value : undefined
  })
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
