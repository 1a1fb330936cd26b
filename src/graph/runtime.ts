/**
 * Compiled graphs on a device: plans and prepares several programs (training, evaluation, ...) over the same
 * parameters, gives them one activation arena, and runs them. One run is one call into the device.
 */
import type { ArenaLayout, Device, DeviceBuffer, Prepared, TimelineEvent } from '../device/device.js'
import { fromHalf, toHalf } from '../device/half.js'
import { calls, type Program } from '../device/program.js'
import { UserError } from '../error.js'
import { byteSize, capacity, elements, isFloat, isHalf, shapeText } from '../ops/shape.js'
import type { Graph, GraphValue, StateArena } from './graph.js'
import { lower } from './lower.js'
import type { ParameterSet } from './parameters.js'
import { Plan } from './plan.js'
import { arenaCuts } from './segments.js'

export type InputData = Float32Array | Int32Array | Uint32Array

export interface CompiledProgram {
  readonly graph: Graph
  readonly plan: Plan
  readonly program: Program
}

/** Bytes that a set of programs needs, known without a device. */
export interface MemoryPlan {
  readonly parameters: number
  readonly parameterBytes: number
  readonly gradientBytes: number
  readonly optimizerBytes: number
  /** Other forms of parameters that are kept, such as packed weights. */
  readonly operandBytes: number
  readonly activationBytes: number
  /** What programs hold beside all of these on the device; 0 where that is nothing, not known, or no device was asked. */
  readonly programBytes: number
  readonly totalBytes: number
}

const STATE_ARENAS: readonly StateArena[] = ['parameters', 'gradients', 'moment1', 'moment2']

/** The name of the program that makes what another one wants prepared. */
function preparing(name: string): string {
  return `${name} preparation`
}

/** Plans and lowers graphs by name, and what they want prepared; all must share one parameter set. `block` as in `Plan`. */
export function compile(
  graphs: Readonly<Record<string, Graph>>,
  block?: number,
): Map<string, CompiledProgram> {
  const all = Object.entries(graphs).flatMap(([name, graph]): [string, Graph][] =>
    graph.preparation
      ? [
          [name, graph],
          [preparing(name), graph.preparation],
        ]
      : [[name, graph]],
  )
  return new Map(
    all.map(([name, graph]) => {
      const plan = new Plan(graph, block)
      return [name, { graph, plan, program: lower(name, graph, plan, graph.parameters.arenaElements * 4) }]
    }),
  )
}

/** Whether a run changes parameters. */
function updates(program: Program): boolean {
  const parameters = program.arenas.findIndex((arena) => arena.name === 'parameters')
  return [...calls(program)].some(({ kernel, refs }) =>
    kernel.buffers.some(({ access }, i) => access !== 'read' && refs[i].arena === parameters),
  )
}

/** What compiled programs need together: activations are shared, so the largest counts. */
export function memoryPlan(parameters: ParameterSet, programs: Iterable<CompiledProgram>): MemoryPlan {
  const all = [...programs]
  const bytes = (arena: StateArena | 'activations') =>
    Math.max(0, ...all.map((p) => p.program.arenas.find((a) => a.name === arena)!.bytes))
  const parameterBytes = parameters.arenaElements * 4
  const gradientBytes = bytes('gradients')
  const optimizerBytes = bytes('moment1') + bytes('moment2')
  const operandBytes = bytes('operands')
  const activationBytes = bytes('activations')
  return {
    parameters: parameters.count,
    parameterBytes,
    gradientBytes,
    optimizerBytes,
    operandBytes,
    activationBytes,
    programBytes: 0,
    totalBytes: parameterBytes + gradientBytes + optimizerBytes + operandBytes + activationBytes,
  }
}

/**
 * What graphs need together on a device: as values lie in its blocks, and with what their programs hold beside them. Throws a
 * UserError where one of them cannot run there.
 */
export function memoryOn(
  device: Pick<Device, 'block' | 'programBytes'>,
  parameters: ParameterSet,
  graphs: Readonly<Record<string, Graph>>,
): MemoryPlan {
  const programs = compile(graphs, device.block)
  const plan = memoryPlan(parameters, programs.values())
  const layouts = arenaLayouts(device, parameters, programs.values())
  let programBytes = 0
  for (const { program } of programs.values())
    programBytes +=
      device.programBytes?.(
        program,
        program.arenas.map(({ name }) => layouts.get(name)!),
      ) ?? 0
  return { ...plan, programBytes, totalBytes: plan.totalBytes + programBytes }
}

/** What each arena of programs has to be allocated as. */
function arenaLayouts(
  { block }: Pick<Device, 'block'>,
  parameters: ParameterSet,
  programs: Iterable<CompiledProgram>,
): Map<string, ArenaLayout> {
  const bytes = new Map([['parameters', parameters.arenaElements * 4]])
  for (const { program } of programs)
    for (const arena of program.arenas)
      bytes.set(arena.name, Math.max(arena.bytes, bytes.get(arena.name) ?? 0))
  return new Map(
    [...bytes].map(([label, size]) => {
      const isLaidOut = STATE_ARENAS.includes(label as StateArena) && block !== undefined && size > block
      return [label, { bytes: size, label, cuts: isLaidOut ? arenaCuts(parameters, block) : undefined }]
    }),
  )
}

/** What was asked for in all, behind an error of the device. */
function plannedText(plan: MemoryPlan): string {
  const parts = {
    parameters: plan.parameterBytes,
    'gradients and moments': plan.gradientBytes + plan.optimizerBytes,
    'packed weights': plan.operandBytes,
    activations: plan.activationBytes,
  }
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const texts = Object.entries(parts).map(([name, bytes]) => (bytes > 0 ? [`${name} ${mib(bytes)}`] : []))
  return `the programs need ${mib(plan.totalBytes)} (${texts.flat().join(', ')})`
}

/** The parameters of one or several runtimes. */
interface ParameterMemory {
  readonly buffer: DeviceBuffer
  /** Counts changes of what is in the buffer. */
  version: number
  /** Runtimes that have not been freed. */
  users: number
}

function checkSharing(sharing: Runtime, device: Device, parameters: ParameterSet): void {
  if (!sharing.live) throw new Error('a runtime shares parameters that have been freed')
  if (sharing.device !== device || sharing.parameters !== parameters)
    throw new Error('a runtime shares parameters of another device or another parameter set')
  if (sharing.memory.parameters !== parameters.count)
    throw new Error(
      `a runtime shares ${sharing.memory.parameters} parameters, but ${parameters.count} are declared by now`,
    )
}

export class Runtime {
  private readonly prepared = new Map<string, Prepared>()
  private readonly programs: Map<string, CompiledProgram>
  private readonly arenas = new Map<string, DeviceBuffer>()
  private readonly state: ParameterMemory
  /** The version of the parameters that the preparation of a program has seen. */
  private readonly seen = new Map<string, number>()
  readonly memory: MemoryPlan

  /**
   * Allocates everything that the programs need; with `sharing` all but the parameters, which are those of that runtime,
   * of the same device and the same set. Throws a UserError when the device has not enough memory.
   */
  constructor(
    readonly device: Device,
    readonly parameters: ParameterSet,
    graphs: Readonly<Record<string, Graph>>,
    sharing?: Runtime,
  ) {
    if (sharing) checkSharing(sharing, device, parameters)
    this.programs = compile(graphs, device.block)
    const plan = memoryPlan(parameters, this.programs.values())
    const { parameterBytes } = plan
    this.memory = sharing
      ? { ...plan, parameterBytes: 0, totalBytes: plan.totalBytes - parameterBytes }
      : plan
    const layouts = arenaLayouts(device, parameters, this.programs.values())
    this.state = sharing?.state ?? {
      buffer: this.allocate(layouts.get('parameters')!),
      version: 0,
      users: 0,
    }
    this.state.users++
    this.arenas.set('parameters', this.state.buffer)
    try {
      this.allocateAndPrepare(layouts)
    } catch (error) {
      this.free()
      throw error
    }
  }

  private allocateAndPrepare(layouts: ReadonlyMap<string, ArenaLayout>): void {
    for (const [name, layout] of layouts)
      if (!this.arenas.has(name)) this.arenas.set(name, this.allocate(layout))
    for (const [name, { program }] of this.programs)
      this.prepared.set(
        name,
        this.device.prepare(
          program,
          program.arenas.map((a) => this.arenas.get(a.name)!),
        ),
      )
  }

  /** Whether the parameters are still there. */
  get live(): boolean {
    return this.state.users > 0
  }

  private allocate({ bytes, label, cuts }: ArenaLayout): DeviceBuffer {
    try {
      return this.device.alloc(bytes, label, cuts)
    } catch (error) {
      throw new UserError(`${(error as Error).message}; ${plannedText(this.memory)}`)
    }
  }

  private get(name: string): CompiledProgram {
    const program = this.programs.get(name)
    if (!program) throw new Error(`there is no program ${name}`)
    return program
  }

  program(name: string): CompiledProgram {
    return this.get(name)
  }

  /** Settled when a program can run without waiting for its kernels to be compiled, rejected where one cannot be; undefined from then on. */
  compiled(name: string): Promise<unknown> | undefined {
    const { graph } = this.get(name)
    const names = graph.preparation ? [name, preparing(name)] : [name]
    const waited = names.flatMap((one) => this.prepared.get(one)!.ready ?? [])
    return waited.length > 0 ? Promise.all(waited) : undefined
  }

  /** Fills the inputs of a program; those of bf16 and f16 are given as f32. A leading run-time size may be filled in part. */
  async write(name: string, inputs: Readonly<Record<string, InputData>>): Promise<void> {
    await Promise.all(this.queueWrites(name, inputs))
  }

  /** Queues writes, without waiting for one. The arrays must stay as they are until all are done. */
  private queueWrites(name: string, inputs: Readonly<Record<string, InputData>>): Promise<void>[] {
    const { graph, plan } = this.get(name)
    const data = Object.entries(inputs).map(([key, data]) => {
      const value = graph.inputs.get(key)
      if (!value) throw new Error(`program ${name} has no input ${key}`)
      const { dtype, shape } = value.spec
      const given = data instanceof Float32Array
      if (given !== isFloat(dtype) || data.length > elements(value.spec))
        throw new Error(
          `input ${key}: ${data.length} values of ${given ? 'f32' : 'i32'} do not fit ${shapeText(shape)} ${dtype}`,
        )
      return { at: plan.place(value).offset, stored: given && isHalf(dtype) ? toHalf(data, dtype) : data }
    })
    const activations = this.arenas.get('activations')!
    return data.map(({ at, stored }) => this.device.write(activations, at, stored))
  }

  /**
   * Fills inputs and runs. Inputs that are not named must have been written since the last run of another program. All of
   * it is queued on the device before this returns its promise, so further runs and reads may be asked for without awaiting
   * it: they come after it. The arrays must stay as they are until the promise is settled.
   */
  async run(
    name: string,
    inputs: Readonly<Record<string, InputData>> = {},
    scalars: Readonly<Record<string, number>> = {},
  ): Promise<void> {
    for (const key of this.get(name).graph.inputs.keys())
      if (!(key in inputs)) throw new Error(`program ${name}: input ${key} is missing`)
    await Promise.all([
      ...this.queueWrites(name, inputs),
      ...this.queuePreparation(name),
      this.device.run(this.prepared.get(name)!, scalars),
    ])
  }

  /** Queues what a program wants prepared, unless that has been done since the parameters changed. */
  private queuePreparation(name: string): Promise<void>[] {
    const { graph, program } = this.get(name)
    const queued: Promise<void>[] = []
    if (graph.preparation && this.seen.get(name) !== this.state.version) {
      this.seen.set(name, this.state.version)
      queued.push(this.device.run(this.prepared.get(preparing(name))!, {}))
    }
    if (updates(program)) this.state.version++
    return queued
  }

  /** As `run`, and tells when every call ran. */
  async timeline(
    name: string,
    inputs: Readonly<Record<string, InputData>>,
    scalars: Readonly<Record<string, number>>,
  ): Promise<TimelineEvent[]> {
    const queued = [...this.queueWrites(name, inputs), ...this.queuePreparation(name)]
    const events = this.device.timeline(this.prepared.get(name)!, scalars)
    await Promise.all([...queued, events])
    return events
  }

  private output(name: string, output: string): GraphValue {
    const value = this.get(name).graph.outputs.get(output)
    if (!value) throw new Error(`program ${name} has no output ${output}`)
    return value
  }

  /** An output of floats after a run, bf16 and f16 as f32; `rows` limits the leading dimension to what was there. */
  async read(name: string, output: string, rows?: number): Promise<Float32Array> {
    const value = this.output(name, output)
    const { dtype } = value.spec
    if (dtype === 'i32') throw new Error(`output ${output} of program ${name} is i32: use readIntegers`)
    const bytes = await this.readValue(name, value, rows)
    return isHalf(dtype) ? fromHalf(new Uint16Array(bytes), dtype) : new Float32Array(bytes)
  }

  /** As `read`, of an output of integers. */
  async readIntegers(name: string, output: string, rows?: number): Promise<Int32Array> {
    const value = this.output(name, output)
    const { dtype } = value.spec
    if (dtype !== 'i32') throw new Error(`output ${output} of program ${name} is ${dtype}, not i32`)
    return new Int32Array(await this.readValue(name, value, rows))
  }

  /** Bytes of any value that is still there after a run (tests, profiles). */
  async readValue(name: string, value: GraphValue, rows?: number): Promise<ArrayBuffer> {
    const { plan } = this.get(name)
    const place = plan.place(value)
    const all = byteSize(value.spec)
    const bytes = rows === undefined ? all : (all / capacity(value.spec.shape[0])) * rows
    return this.device.read(this.arenas.get(place.arena)!, place.offset, bytes)
  }

  /** A whole arena of the layout of the parameters. */
  async readState(arena: StateArena): Promise<Float32Array> {
    const buffer = this.arenas.get(arena)!
    return new Float32Array(await this.device.read(buffer, 0, this.parameters.arenaElements * 4))
  }

  async writeState(arena: StateArena, data: Float32Array): Promise<void> {
    if (data.length !== this.parameters.arenaElements)
      throw new Error(`${arena}: ${data.length} values (want ${this.parameters.arenaElements})`)
    if (arena === 'parameters') this.state.version++
    await this.device.write(this.arenas.get(arena)!, 0, data)
  }

  /** Whether a program of this runtime uses that arena. */
  hasState(arena: StateArena): boolean {
    return STATE_ARENAS.includes(arena) && (this.arenas.get(arena)?.bytes ?? 0) > 0
  }

  /** Frees the memory of all programs, the parameters with the last runtime that has them; the device stays open. */
  free(): void {
    if (this.arenas.delete('parameters') && --this.state.users === 0) this.device.free(this.state.buffer)
    for (const buffer of this.arenas.values()) this.device.free(buffer)
    this.arenas.clear()
  }
}
