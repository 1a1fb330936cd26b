/** What a kernel is asked that stands for others when variants of shared WGSL code are compared. */
import type { Access } from '../kernel.js'

/** One call of a kernel on made-up numbers. */
export interface Workload {
  readonly params: Readonly<Record<string, number>>
  /** In the order of the kernel's slots. */
  readonly buffers: readonly {
    readonly name: string
    readonly access: Access
    /** Of f16 the bits. */
    readonly data: Float32Array | Int32Array | Uint16Array
  }[]
  /** The buffer that is judged. */
  readonly output: string
  /** What an element of it has to be, from sums in double precision. */
  expected(index: number): number
}

/** A shape on which time is taken. `operations` tells how much more there is to do than for another one of the same kernel. */
export interface Timed {
  readonly operations: number
  make(): Workload
}

/** A kernel that stands for the others of its families. */
export interface Representative {
  readonly kernel: string
  /** The only family that it stands for; all that are in it if this is left out. */
  readonly family?: string
  /** Shapes on which results are judged: with remainders in every direction, in rows that vectors of four fit and that they do not. */
  readonly judged: readonly (() => Workload)[]
  /** TIMED shapes, from one that the slowest adapter gets through in milliseconds to one of a model. */
  readonly timed: readonly Timed[]
}

/** Numbers within [-1, 1] that repeat themselves late. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** A sum of f(0) to f(n - 1). */
export function sumOf(n: number, f: (i: number) => number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += f(i)
  return sum
}

/** A representative by a function from sizes to work. */
export function representative<Sizes>(
  kernel: string,
  judged: readonly Sizes[],
  timed: readonly Sizes[],
  operations: (sizes: Sizes) => number,
  make: (sizes: Sizes) => Workload,
): Representative {
  return {
    kernel,
    judged: judged.map((sizes) => () => make(sizes)),
    timed: timed.map((sizes) => ({ operations: operations(sizes), make: () => make(sizes) })),
  }
}
