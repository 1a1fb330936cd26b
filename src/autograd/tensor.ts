/**
 * The tensors that model code handles: symbolic, a handle on a value of a graph that is being captured. Functions on
 * tensors stand in functions.ts; a model is a plain function of tensors that is run once to capture it.
 */
import { Graph, type GraphValue, type RepeatNode } from '../graph/graph.js'
import { type Parameter, ParameterSet } from '../graph/parameters.js'
import type { Attrs, Op } from '../ops/op.js'
import type { Dim, DType, Spec } from '../ops/shape.js'
import { backward } from './backward.js'

export class Tensor {
  constructor(
    readonly capture: Capture,
    readonly value: GraphValue,
  ) {}

  get shape(): readonly Dim[] {
    return this.value.spec.shape
  }

  get spec(): Spec {
    return this.value.spec
  }
}

/** One step being captured: where tensors come from, and what is read after a run. */
export class Capture {
  readonly graph: Graph
  private streams = 0

  constructor(readonly parameters: ParameterSet = new ParameterSet()) {
    this.graph = new Graph(parameters)
  }

  /** A tensor that the caller fills before every run. */
  input(name: string, shape: readonly Dim[], dtype: DType = 'f32'): Tensor {
    return new Tensor(this, this.graph.input(name, { shape, dtype }))
  }

  /** A parameter as a tensor. */
  parameter(parameter: Parameter): Tensor {
    const { name, offset, shape, trainable } = parameter
    return new Tensor(this, this.graph.state('parameters', name, offset, { shape, dtype: 'f32' }, trainable))
  }

  /** Weight and bias of a layer as tensors. */
  layer(parameters: { readonly weight: Parameter; readonly bias: Parameter }): {
    weight: Tensor
    bias: Tensor
  } {
    return { weight: this.parameter(parameters.weight), bias: this.parameter(parameters.bias) }
  }

  /** Applies an op; all outputs in the op's order. */
  apply<A extends Attrs>(op: Op<A>, inputs: readonly Tensor[], attrs: A): Tensor[] {
    return this.graph
      .emit(
        op,
        inputs.map((t) => t.value),
        attrs,
      )
      .map((v) => new Tensor(this, v))
  }

  /**
   * Another form of a parameter, such as a packed weight, made by an op once for all runs; of a stack [L,O,I] layer by
   * layer. Nothing can be trained through it.
   */
  prepare<A extends Attrs>(op: Op<A>, parameter: Tensor, attrs: A): Tensor {
    return new Tensor(this, this.graph.prepare(op, parameter.value, attrs))
  }

  /** A number that no other random op of this capture has. */
  stream(): number {
    return this.streams++
  }

  /** Calls made by `build` carry `name` in profiles. */
  named<T>(name: string, build: () => T): T {
    return this.graph.named(name, build)
  }

  /**
   * Applies `block` `count` times, as one node: `x = block(x)`. Parameters used inside are shared by all iterations;
   * `slice(t)` picks the iteration's part of a tensor that is stacked along its first dimension.
   * `recompute` keeps only the block's input per iteration and computes the rest again in the backward pass.
   */
  repeat(
    count: number,
    init: Tensor,
    block: (x: Tensor, slice: (stacked: Tensor) => Tensor) => Tensor,
    options: { recompute?: boolean; name?: string } = {},
  ): Tensor {
    const node: RepeatNode = this.graph.repeat(
      count,
      init.value,
      { recompute: options.recompute, differentiable: true, name: options.name ?? 'repeat' },
      (carry) =>
        block(new Tensor(this, carry), (stacked) => new Tensor(this, this.graph.slice(stacked.value))).value,
    )
    return new Tensor(this, node.result)
  }

  /**
   * Appends the backward pass of a loss of one element; gradients are added onto the gradient arena. They are multiplied
   * by `seed`, a number or the name of a run-time scalar.
   */
  backward(loss: Tensor, seed: number | string = 1): void {
    backward(this.graph, loss.value, seed)
  }

  /** Names a tensor that the caller reads after a run. */
  output(name: string, tensor: Tensor): void {
    this.graph.output(name, tensor.value)
  }
}
