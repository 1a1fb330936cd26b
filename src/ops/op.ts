/**
 * The op contract. An op is one plain object in `src/ops/<stem>.ts`; its kernels have the same stem in
 * `kernels/cpu`, `kernels/wgsl` and `kernels/cuda`.
 *
 * Names bind: a kernel's buffer called like an input, an output or a temporary of the op is that tensor; `d<output>`
 * is the gradient that arrives, `d<input>` the one that leaves. Activation gradients are written, parameter
 * gradients accumulate: the access of the slot (`write` or `accumulate`) says which. A kernel of `backward` runs
 * only if one of the gradients it makes is asked for. An op whose gradient is made of other ops has a `gradient`
 * rule instead of `backward` kernels.
 */
import type { Kernel } from '../device/kernel.js'
import type { ParamValue, Sizes, Work } from '../device/program.js'
import type { Dim, Spec } from './shape.js'
import { shapeText } from './shape.js'

export type Attrs = Readonly<
  Record<string, number | boolean | string | Dim | readonly number[] | readonly Dim[] | undefined>
>

/** A tensor of the graph, as ops see it. */
export interface Value {
  readonly id: number
  readonly spec: Spec
}

/** A call that a gradient rule may replace by one that does more. */
export interface Writer {
  /** What is bound to it by the names of its slots. */
  readonly tensors: Readonly<Record<string, Value>>
  /** Puts another call in its place; what it wrote is written by nobody then. */
  replace<A extends Attrs>(
    op: Op<A>,
    kernel: Kernel,
    bindings: Readonly<Record<string, Value>>,
    attrs: A,
  ): void
}

/** What a gradient rule may do: look at the op's tensors and emit further ops. */
export interface GradientScope {
  /** Input or output of the op by name. */
  value(name: string): Value
  /** The gradient of an output, zeros if nothing reached it. */
  incoming(output: string): Value
  /** Whether somebody wants the gradient of this input. */
  wants(input: string): boolean
  /** Adds a contribution to the gradient of an input; the shape is the input's. */
  give(input: string, gradient: Value): void
  /** What has been gathered of the gradient of an input, for a kernel to take over; see `replace`. */
  sum(input: string): Value | undefined
  /** The gradient of an input from now on, with what `sum` told in it. */
  replace(input: string, gradient: Value): void
  /** The buffer onto which kernels may accumulate the gradient of an input. */
  accumulator(input: string): Value
  /** The call of `kernel` that wrote the whole gradient of an output, if it is one and nobody has read it. */
  writer(output: string, kernel: Kernel): Writer | undefined
  emit<A extends Attrs>(op: Op<A>, inputs: readonly Value[], attrs: A): Value[]
  /** Runs one of the backward kernels of `op`, binding every slot by hand. */
  call<A extends Attrs>(op: Op<A>, kernel: Kernel, bindings: Readonly<Record<string, Value>>, attrs: A): void
  /** A fresh tensor for a kernel to write. */
  fresh(spec: Spec): Value
  reshape(value: Value, shape: readonly Dim[]): Value
}

export interface Op<A extends Attrs = Attrs> {
  /** The stem: snake_case, the name of every file of this op. */
  readonly name: string
  readonly inputs: readonly string[]
  /** The results in order. The first is what a caller uses; others (statistics) are saved for backward. */
  readonly outputs: readonly string[]
  /** Shapes of the outputs. Throws `shapeError` when the inputs do not fit. */
  infer(inputs: readonly Spec[], attrs: A): Spec[]
  /** Values for the parameters of all kernels of the op by name. `specs` has inputs, outputs (and temporaries) by name. */
  params(specs: Readonly<Record<string, Spec>>, attrs: A): Readonly<Record<string, ParamValue>>
  /** Further buffers that kernels name: scratch, or what one backward kernel hands to the next. */
  temporaries?(specs: Readonly<Record<string, Spec>>, attrs: A): Readonly<Record<string, Spec>>
  readonly forward: Kernel
  readonly backward?: readonly Kernel[]
  /** Further kernels that the rule runs. */
  readonly kernels?: readonly Kernel[]
  gradient?(scope: GradientScope, attrs: A): void
  /**
   * The input that the first output is another form of, such as a weight that is packed for products: a gradient of the
   * output is one of that input, of its shape and type, and needs no kernel to get there.
   */
  readonly represents?: string
  /**
   * Operations of the forward kernel as `Work` counts them. Here and in `work` all dimensions are numbers, those of a
   * run; `sizes` has what shapes do not tell.
   */
  flops(specs: Readonly<Record<string, Spec>>, attrs: A, sizes: Sizes): number
  /**
   * What a kernel has to do where that is not the usual: kernels of `backward` share twice the operations of the forward
   * kernel, those of `kernels` must be told; all of every buffer is touched. See ops/work.ts.
   */
  work?(kernel: string, specs: Readonly<Record<string, Spec>>, attrs: A, sizes: Sizes): Partial<Work>
}

/** Identity that checks the type and keeps the attribute type. */
export function defineOp<A extends Attrs>(op: Op<A>): Op<A> {
  return op
}

/** `linear: x is [8,128], weight is [256,768] (want [*,128])` */
export function shapeError(op: string, found: Readonly<Record<string, Spec>>, want: string): Error {
  const text = Object.entries(found).map(
    ([name, spec]) => `${name} is ${shapeText(spec.shape)} ${spec.dtype}`,
  )
  return new ShapeError(`${op}: ${text.join(', ')} (want ${want})`)
}

/** Shapes that do not fit together: a mistake in a model. */
export class ShapeError extends Error {
  override name = 'ShapeError'
}
