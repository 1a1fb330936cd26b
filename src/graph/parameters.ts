/**
 * Parameters. All of them live in one contiguous arena of 32-bit floats, their gradients and moments in arenas of
 * the same layout, with a table of segments: an all-reduce, a checkpoint, a norm or an optimizer step is one pass.
 */

import { align } from './storage.js'

/** Fills `data` with initial values. `normal` draws from N(0, 1). */
export type Initializer = (data: Float32Array, normal: () => number) => void

export const zeros: Initializer = (data) => data.fill(0)
export const ones: Initializer = (data) => data.fill(1)

/** N(0, scale^2). */
export function normal(scale: number): Initializer {
  return (data, draw) => {
    for (let i = 0; i < data.length; i++) data[i] = scale * draw()
  }
}

/** N(0, scale^2) with draws beyond two standard deviations drawn again (ALBERT and BERT use scale 0.02). */
export function truncatedNormal(scale: number): Initializer {
  return (data, draw) => {
    for (let i = 0; i < data.length; i++) {
      let z = draw()
      while (Math.abs(z) > 2) z = draw()
      data[i] = scale * z
    }
  }
}

export interface ParameterOptions {
  readonly init: Initializer
  /** Weight decay applies (default: only to tensors of two or more dimensions). */
  readonly decay?: boolean
  /** LAMB's trust ratio applies (default: as decay). */
  readonly adapt?: boolean
  /** A gradient is computed and the optimizer changes it (default true). */
  readonly trainable?: boolean
  /**
   * Tensors stored one after the other in this parameter, each with a name, a norm and a trust ratio of its own: so
   * many rows along the first dimension, such as the query, key and value weights of a fused projection, or of a shape
   * of their own, such as the weights of the layers of a stack.
   */
  readonly parts?: readonly ({ readonly name: string } & (
    | { readonly rows: number }
    | { readonly shape: readonly number[] }
  ))[]
}

/** A tensor within a parameter. */
export interface Part {
  readonly name: string
  readonly shape: readonly number[]
}

export interface Parameter {
  readonly name: string
  readonly shape: readonly number[]
  /** First element in the arena. */
  readonly offset: number
  readonly size: number
  readonly init: Initializer
  readonly decay: boolean
  readonly adapt: boolean
  readonly trainable: boolean
  readonly parts: readonly Part[]
}

/** A tensor as files and optimizers see it: a parameter, or one part of it. */
export interface Segment {
  readonly name: string
  readonly shape: readonly number[]
  readonly offset: number
  readonly size: number
  readonly decay: boolean
  readonly adapt: boolean
  readonly trainable: boolean
}

/** Parameters start at multiples of this many elements (256 bytes, what every device can bind). */
export const PARAMETER_ALIGNMENT = 64

export class ParameterSet {
  private readonly byName = new Map<string, Parameter>()
  private end = 0
  private readonly operands = new Map<string, number>()
  private operandsEnd = 0

  /** Declares a parameter. Throws when the name is taken or a dimension is not a positive whole number. */
  add(name: string, shape: readonly number[], options: ParameterOptions): Parameter {
    if (this.byName.has(name)) throw new Error(`parameter ${name} is declared twice`)
    if (!shape.every((d) => Number.isInteger(d) && d > 0))
      throw new Error(`parameter ${name}: shape is [${shape}] (want positive whole numbers)`)
    const size = elements(shape)
    const parts = options.parts?.map((part) => ({
      name: part.name,
      shape: 'shape' in part ? part.shape : [part.rows, ...shape.slice(1)],
    })) ?? [{ name, shape }]
    if (parts.reduce((n, part) => n + elements(part.shape), 0) !== size)
      throw new Error(`parameter ${name}: the parts have not ${size} elements in all`)
    const decay = options.decay ?? parts[0].shape.length >= 2
    const parameter: Parameter = {
      name,
      shape,
      offset: this.end,
      size,
      init: options.init,
      decay,
      adapt: options.adapt ?? decay,
      trainable: options.trainable ?? true,
      parts,
    }
    this.byName.set(name, parameter)
    this.end += Math.ceil(size / PARAMETER_ALIGNMENT) * PARAMETER_ALIGNMENT
    return parameter
  }

  /**
   * Where the arena of operands has another form of a parameter (Graph.prepare), in bytes: the same place for every
   * program that asks for the same `key`.
   */
  operand(key: string, bytes: number): number {
    let offset = this.operands.get(key)
    if (offset === undefined) {
      offset = this.operandsEnd
      this.operands.set(key, offset)
      this.operandsEnd = align(offset + bytes)
    }
    return offset
  }

  /** Bytes of the arena of operands. */
  get operandBytes(): number {
    return this.operandsEnd
  }

  get(name: string): Parameter {
    const parameter = this.byName.get(name)
    if (!parameter) throw new Error(`there is no parameter ${name}`)
    return parameter
  }

  has(name: string): boolean {
    return this.byName.has(name)
  }

  get all(): Parameter[] {
    return [...this.byName.values()]
  }

  /** Elements of the arena, alignment gaps included. */
  get arenaElements(): number {
    return Math.max(this.end, PARAMETER_ALIGNMENT)
  }

  /** Elements of all parameters. */
  get count(): number {
    return this.all.reduce((n, p) => n + p.size, 0)
  }

  get segments(): Segment[] {
    return this.all.flatMap(({ parts, offset, decay, adapt, trainable }) => {
      let start = offset
      return parts.map(({ name, shape }) => {
        const segment = { name, shape, offset: start, size: elements(shape), decay, adapt, trainable }
        start += segment.size
        return segment
      })
    })
  }

  /** Initial values of the whole arena; each parameter draws from a stream of its own. */
  initialize(normalFor: (name: string) => () => number): Float32Array {
    const data = new Float32Array(this.arenaElements)
    for (const p of this.all) p.init(data.subarray(p.offset, p.offset + p.size), normalFor(p.name))
    return data
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}
