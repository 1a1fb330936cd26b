/**
 * A program: everything a device needs to run one step without coming back to TypeScript. It is a list of
 * kernel calls on byte ranges of a few arenas, with loops for the repeated block. It knows bytes and four-byte
 * words only; shapes, gradients and models live above. `graph/lower.ts` makes it, devices prepare and run it.
 */
import type { Kernel, ParamType } from './kernel.js'

/**
 * A byte range of arena number `arena`. Inside a repeat the range of iteration i starts at
 * `offset + ((i + shift) % modulo) * stride`; outside, and for what all iterations share, `stride` is 0.
 */
export interface Ref {
  readonly arena: number
  readonly offset: number
  readonly bytes: number
  readonly stride: number
  readonly shift: number
  readonly modulo: number
}

/** A parameter known only when the program runs: `times` x the value of the scalar of that name (integers and floats alike). */
export interface ScalarParam {
  readonly scalar: string
  readonly times: number
  /** The largest value of the scalar, where it is a size; anything below 2^32 if left out. */
  readonly capacity?: number
}

export type ParamValue = number | ScalarParam

/** The scalar that every device sets by itself: the iteration of the enclosing repeat, 0 outside. */
export const ITERATION = 'iteration'

/** What one execution of a call has to do. */
export interface Work {
  /**
   * Floating-point operations: additions, multiplications, comparisons, elementary functions. Where there are matrix
   * products only theirs count, two for each multiply-add.
   */
  readonly flops: number
  /** Of these, what a model's operations count (MFU): matrix products, not those that are computed a second time. */
  readonly modelFlops: number
  /** Bytes that must move at least: what is touched of each buffer once, twice where it is added onto; no scratch. */
  readonly bytes: number
}

/** Run-time sizes: the scalars of a run by name, and `SQUARES`. A size that is left out counts at its capacity. */
export type Sizes = Readonly<Record<string, number>>

/** The size that attention depends on beside rows: the sum of the squared lengths of all sequences. */
export const SQUARES = 'sequence_squares'

export interface Call {
  readonly kind: 'call'
  readonly kernel: Kernel
  /** One per buffer slot of the kernel, in its order. */
  readonly refs: readonly Ref[]
  /** One per parameter slot of the kernel, in its order. */
  readonly params: readonly ParamValue[]
  /** What a profile calls this call, e.g. `linear_forward layer/ffn`. */
  readonly label: string
  /** What an execution has to do; devices do not ask. */
  readonly work?: (sizes: Sizes) => Work
}

/** Runs `body` `count` times; `reverse` counts the iteration down from `count - 1` to 0. Repeats do not nest. */
export interface Repeat {
  readonly kind: 'repeat'
  readonly count: number
  readonly reverse: boolean
  readonly body: readonly Call[]
}

export interface Arena {
  readonly name: string
  readonly bytes: number
}

export interface ScalarSlot {
  readonly name: string
  readonly type: ParamType
}

export interface Program {
  readonly name: string
  readonly arenas: readonly Arena[]
  /** Run-time scalars in the order of their first use; `iteration` is not among them. */
  readonly scalars: readonly ScalarSlot[]
  readonly steps: readonly (Call | Repeat)[]
}

/** Every call of a program once, in order. */
export function* calls(program: Program): Generator<Call> {
  for (const step of program.steps) {
    if (step.kind === 'call') yield step
    else yield* step.body
  }
}

/** What one run of a program has to do in all. */
export function totalWork(program: Program, sizes: Sizes): Work {
  const total = { flops: 0, modelFlops: 0, bytes: 0 }
  for (const step of program.steps) {
    const times = step.kind === 'call' ? 1 : step.count
    for (const call of step.kind === 'call' ? [step] : step.body) {
      const work = call.work?.(sizes)
      if (!work) continue
      total.flops += times * work.flops
      total.modelFlops += times * work.modelFlops
      total.bytes += times * work.bytes
    }
  }
  return total
}
