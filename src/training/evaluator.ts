/**
 * Runs the forward pass of a model without training it: a program with no gradients, moments or optimizer, on parameters of
 * its own or on those of a `Trainer`, which it then sees as they are at each run.
 */
import { toFloat } from '../autograd/functions.js'
import { Capture, type Tensor } from '../autograd/tensor.js'
import type { Device } from '../device/device.js'
import type { ParameterSet } from '../graph/parameters.js'
import { type InputData, type MemoryPlan, Runtime } from '../graph/runtime.js'
import { ShapeError } from '../ops/op.js'
import { resolveDim } from '../ops/shape.js'
import { initialValues } from './initialize.js'

const PROGRAM = 'forward'

/** Captures a model on a capture of its own; what it returns can be read after a run, by name. */
export type Forward<Name extends string> = (capture: Capture) => Readonly<Record<Name, Tensor>>

export interface EvaluatorOptions<Name extends string> {
  readonly device: Device
  readonly parameters: ParameterSet
  readonly forward: Forward<Name>
  /** Of the initial values; `loadParameters` replaces them. Default 0. */
  readonly seed?: number
}

export class Evaluator<Name extends string = string> {
  private last: Promise<unknown> = Promise.resolve()

  private constructor(
    readonly runtime: Runtime,
    private readonly outputs: readonly (readonly [Name, Tensor])[],
  ) {}

  /** Captures, plans, allocates and initialises. Throws a UserError when memory does not suffice. */
  static async create<Name extends string>(options: EvaluatorOptions<Name>): Promise<Evaluator<Name>> {
    const { device, parameters, forward, seed = 0 } = options
    const evaluator = Evaluator.over(device, parameters, forward)
    await evaluator.runtime.writeState('parameters', initialValues(parameters, seed))
    return evaluator
  }

  /** On the parameters of another runtime; what it allocates beside them is freed by `free`. */
  static sharing<Name extends string>(runtime: Runtime, forward: Forward<Name>): Evaluator<Name> {
    return Evaluator.over(runtime.device, runtime.parameters, forward, runtime)
  }

  private static over<Name extends string>(
    device: Device,
    parameters: ParameterSet,
    forward: Forward<Name>,
    sharing?: Runtime,
  ): Evaluator<Name> {
    const capture = new Capture(parameters)
    const outputs = Object.entries(forward(capture)) as [Name, Tensor][]
    if (outputs.length === 0) throw new ShapeError('forward: it returns no tensor to read')
    const floats = outputs.map(([name, tensor]) => [name, toFloat(tensor)] as const)
    for (const [name, tensor] of floats) capture.output(name, tensor)
    return new Evaluator(new Runtime(device, parameters, { [PROGRAM]: capture.graph }, sharing), floats)
  }

  /** Bytes that were allocated; parameters that belong to a trainer do not count. */
  get memory(): MemoryPlan {
    return this.runtime.memory
  }

  /**
   * One run. `scalars` sets run-time sizes; of an output that leads with one, the rows that are there are returned. Outputs
   * are floats, integers among them exact up to 2^24. Runs that are asked for at once happen one after the other.
   */
  run(
    inputs: Readonly<Record<string, InputData>>,
    scalars: Readonly<Record<string, number>> = {},
  ): Promise<Record<Name, Float32Array>> {
    const result = this.last.then(() => this.runNow(inputs, scalars))
    this.last = result.catch(() => {})
    return result
  }

  private async runNow(
    inputs: Readonly<Record<string, InputData>>,
    scalars: Readonly<Record<string, number>>,
  ): Promise<Record<Name, Float32Array>> {
    await this.runtime.run(PROGRAM, inputs, { seed: 0, draw: 0, ...scalars })
    const found: Partial<Record<Name, Float32Array>> = {}
    for (const [name, { shape }] of this.outputs) {
      const rows = shape.length > 0 ? resolveDim(shape[0], scalars) : undefined
      found[name] = await this.runtime.read(PROGRAM, name, rows)
    }
    return found as Record<Name, Float32Array>
  }

  /** Frees the memory; the device stays open, and a trainer whose parameters these are goes on. */
  free(): void {
    this.runtime.free()
  }
}
