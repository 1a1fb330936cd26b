/**
 * The graph of one step. Nodes are kernel invocations in program order, grouped in bodies: the step itself, and one
 * body per repeat. Values are what nodes read and write. Order is meaning: a node that accumulates changes its value
 * for every node after it, and nothing is reordered.
 */
import { inHalf, inInt8, type Kernel, type ParamType } from '../device/kernel.js'
import type { ParamValue, Sizes, Work } from '../device/program.js'
import { contiguous, copy } from '../ops/copy.js'
import { type Attrs, type Op, ShapeError, type Value } from '../ops/op.js'
import {
  byteSize,
  capacity,
  type Dim,
  elements,
  isFloat,
  isHalf,
  isWholeFours,
  type Spec,
  shapeText,
} from '../ops/shape.js'
import { kernelWork } from '../ops/work.js'
import type { ParameterSet } from './parameters.js'

/** Where a value lives and what it is. */
export type Origin =
  /** written by nodes of `body` */
  | { readonly kind: 'node' }
  /** filled by the caller before a run */
  | { readonly kind: 'input'; readonly name: string }
  /**
   * one parameter, or its gradient, or a moment of it: elements from `offset` of that arena of the parameter set; or what
   * `prepare` made of it: words from `offset` of the arena of operands
   */
  | { readonly kind: 'state'; readonly arena: StateArena; readonly offset: number }
  /** the same memory as `base` from element `offset` on, in another shape */
  | { readonly kind: 'view'; readonly base: GraphValue; readonly offset: number }
  /** slice number `iteration` of `base` along its first dimension, inside a repeat */
  | { readonly kind: 'slice'; readonly base: GraphValue }
  /** what a repeat hands from one iteration to the next */
  | { readonly kind: 'carry' }
  /** the carry after the last iteration */
  | { readonly kind: 'result'; readonly repeat: RepeatNode }

export type StateArena = 'parameters' | 'gradients' | 'moment1' | 'moment2' | 'operands'

export interface GraphValue extends Value {
  readonly spec: Spec
  readonly origin: Origin
  readonly body: Body
  /** A gradient can flow into it. */
  readonly differentiable: boolean
  /** Printed by errors and profiles. */
  readonly name: string
  /** The value that this one is another form of: its gradients are that one's. */
  readonly represents?: GraphValue
}

/** One kernel invocation. */
export interface CallNode {
  readonly kind: 'call'
  readonly op: Op
  readonly attrs: Attrs
  readonly kernel: Kernel
  /** One per buffer slot. */
  readonly bindings: readonly GraphValue[]
  readonly params: readonly ParamValue[]
  /** The op's tensors by name, for its gradient; empty for nodes that have none. */
  readonly tensors: Readonly<Record<string, GraphValue>>
  readonly label: string
  /** The names of `named` around it, outermost first. */
  readonly place: readonly string[]
  readonly work: (sizes: Sizes) => Work
}

/** Runs a body `count` times; iteration i reads the carry that iteration i - 1 wrote. */
export interface RepeatNode {
  readonly kind: 'repeat'
  readonly count: number
  readonly reverse: boolean
  readonly recompute: boolean
  readonly body: Body
  readonly init: GraphValue
  readonly carry: GraphValue
  /** Set when the body is complete. */
  next: GraphValue
  result: GraphValue
}

export type Node = CallNode | RepeatNode

export class Body {
  readonly nodes: Node[] = []
  constructor(
    readonly name: string,
    readonly parent: Body | undefined,
  ) {}
}

/** A scalar that a kernel takes when the program runs; its type follows from the parameter slot. */
export type ScalarTypes = Map<string, ParamType>

export class Graph {
  readonly root = new Body('step', undefined)
  readonly inputs = new Map<string, GraphValue>()
  /** Values that the caller reads after a run, by name. */
  readonly outputs = new Map<string, GraphValue>()
  private current = this.root
  private nextId = 0
  private scopeNames: string[] = []
  private readonly states = new Map<string, GraphValue>()
  /** What `prepare` emitted. A runtime runs it before this graph whenever the parameters have changed. */
  preparation?: Graph

  constructor(readonly parameters: ParameterSet) {}

  get body(): Body {
    return this.current
  }

  /** Everything emitted by `build` lands in `body`. */
  within<T>(body: Body, build: () => T): T {
    const saved = this.current
    this.current = body
    try {
      return build()
    } finally {
      this.current = saved
    }
  }

  /** Labels of the calls emitted by `build` carry this name. */
  named<T>(name: string | readonly string[], build: () => T): T {
    const outer = this.scopeNames
    this.scopeNames = outer.concat(name)
    try {
      return build()
    } finally {
      this.scopeNames = outer
    }
  }

  /** As `named`, but the names of another call alone. */
  placed<T>(place: readonly string[], build: () => T): T {
    const outer = this.scopeNames
    this.scopeNames = [...place]
    try {
      return build()
    } finally {
      this.scopeNames = outer
    }
  }

  value(spec: Spec, origin: Origin, differentiable: boolean, name: string, body = this.current): GraphValue {
    if (spec.dtype === 'f16' && !isWholeFours(spec))
      throw new ShapeError(
        `${name} is ${shapeText(spec.shape)} f16 (want a last dimension that is a multiple of four)`,
      )
    return { id: this.nextId++, spec, origin, differentiable, name, body }
  }

  input(name: string, spec: Spec): GraphValue {
    const known = this.inputs.get(name)
    if (known) throw new Error(`input ${name} is declared twice`)
    const value = this.value(spec, { kind: 'input', name }, false, name, this.root)
    this.inputs.set(name, value)
    return value
  }

  /** A range of one of the parameter arenas. */
  state(arena: StateArena, name: string, offset: number, spec: Spec, differentiable: boolean): GraphValue {
    const key = `${arena}:${offset}:${shapeText(spec.shape)}`
    let value = this.states.get(key)
    if (!value) {
      value = this.value(spec, { kind: 'state', arena, offset }, differentiable, name, this.root)
      this.states.set(key, value)
    }
    return value
  }

  /**
   * Another form of a parameter [O,I], or of a stack [L,O,I] of them one by one, by an op of one input and one output that
   * takes part in no gradient. It is made once for all runs and stays in the arena of operands.
   */
  prepare<A extends Attrs>(op: Op<A>, parameter: GraphValue, attrs: A): GraphValue {
    const { origin, spec, name } = parameter
    if (origin.kind !== 'state' || origin.arena !== 'parameters')
      throw new Error(`${op.name}: ${name} is no parameter, so it cannot be prepared`)
    const [inner, outer, count = 1] = spec.shape.map(capacity).reverse()
    const [one] = op.infer([{ ...spec, shape: [outer, inner] }], attrs)
    const bytes = byteSize(one)
    const key = `${op.name} ${JSON.stringify(attrs)} ${origin.offset}`
    const offset = this.parameters.operand(key, count * bytes) / 4
    const known = this.states.get(`operands:${offset}:${shapeText(spec.shape)}`)
    if (known) return known
    this.preparation ??= new Graph(this.parameters)
    for (let i = 0; i < count; i++) {
      const source = this.preparation.view(parameter, [outer, inner], i * outer * inner)
      const target = this.preparation.state('operands', name, offset + (i * bytes) / 4, one, false)
      this.preparation.call(op, op.forward, { [op.inputs[0]]: source, [op.outputs[0]]: target }, attrs)
    }
    return this.state('operands', name, offset, { ...spec, dtype: one.dtype }, false)
  }

  /** The same elements in another shape; with `offset`, as many elements as `shape` has from that one on. */
  view(base: GraphValue, shape: readonly Dim[], offset?: number): GraphValue {
    const spec = { shape, dtype: base.spec.dtype }
    const fits =
      offset === undefined
        ? elements(spec) === elements(base.spec)
        : offset + elements(spec) <= elements(base.spec)
    if (!fits) throw new Error(`cannot view ${shapeText(base.spec.shape)} as ${shapeText(shape)}`)
    return this.value(spec, { kind: 'view', base, offset: offset ?? 0 }, base.differentiable, base.name)
  }

  /** Inside a repeat: the slice of this iteration along the first dimension. */
  slice(base: GraphValue): GraphValue {
    return this.value(
      { shape: base.spec.shape.slice(1), dtype: base.spec.dtype },
      { kind: 'slice', base },
      base.differentiable,
      base.name,
    )
  }

  /** A tensor for nodes to write. */
  fresh(spec: Spec, name: string, differentiable = false): GraphValue {
    return this.value(spec, { kind: 'node' }, differentiable, name)
  }

  /** Runs the forward kernel of an op on new outputs. */
  emit<A extends Attrs>(op: Op<A>, inputs: readonly GraphValue[], attrs: A): GraphValue[] {
    const specs = op.infer(
      inputs.map((v) => v.spec),
      attrs,
    )
    const trainable =
      (op.backward !== undefined || op.gradient !== undefined) && inputs.some((v) => v.differentiable)
    const outputs = specs.map((spec, i): GraphValue => {
      const form = i === 0 ? inputs[op.inputs.indexOf(op.represents ?? '')] : undefined
      if (form) return { ...this.fresh(spec, form.name, form.differentiable), represents: form }
      return this.fresh(spec, op.outputs[i], trainable && i === 0 && isFloat(spec.dtype))
    })
    const tensors: Record<string, GraphValue> = {}
    op.inputs.forEach((name, i) => {
      tensors[name] = inputs[i]
    })
    op.outputs.forEach((name, i) => {
      tensors[name] = outputs[i]
    })
    this.call(op, op.forward, tensors, attrs, true)
    return outputs
  }

  /**
   * Appends one kernel of an op with its slots bound by name: its form for bf16 or f16 where a bound tensor is of that type,
   * its form for 8-bit integers where it reads a weight of them.
   * Temporaries that are not bound are made; `record` keeps the tensors, so that the node has a gradient.
   */
  call<A extends Attrs>(
    op: Op<A>,
    kernel: Kernel,
    tensors: Readonly<Record<string, GraphValue>>,
    attrs: A,
    record = false,
  ): void {
    const specs: Record<string, Spec> = {}
    for (const [name, value] of Object.entries(tensors)) specs[name] = value.spec
    const temporaries = op.temporaries?.(specs, attrs) ?? {}
    Object.assign(specs, temporaries)
    const bindings = kernel.buffers.map((slot) => {
      const bound = tensors[slot.name]
      if (bound) return bound
      if (temporaries[slot.name]) return this.fresh(temporaries[slot.name], `${op.name}.${slot.name}`)
      throw new Error(`${kernel.name}: nothing is bound to ${slot.name}`)
    })
    const values = op.params(specs, attrs)
    const params = kernel.params.map((slot) => {
      const value = values[slot.name]
      if (value === undefined) throw new Error(`${kernel.name}: parameter ${slot.name} has no value`)
      return value
    })
    const isInt8 = kernel.buffers.some(
      ({ access }, i) => access === 'read' && bindings[i].spec.dtype === 'packed_int8',
    )
    const half = bindings.map((v) => v.spec.dtype).find(isHalf)
    const chosen = isInt8 ? inInt8(kernel) : half ? inHalf(kernel, half) : kernel
    this.current.nodes.push({
      kind: 'call',
      op,
      attrs,
      kernel: chosen,
      bindings,
      params,
      tensors: record ? tensors : {},
      label: [chosen.name, ...this.scopeNames].join(' '),
      place: [...this.scopeNames],
      work: kernelWork(
        op,
        kernel,
        specs,
        attrs,
        bindings.map((v) => v.spec),
      ),
    })
  }

  /**
   * A repeat of `count` iterations. `build` gets the carry and returns what the next iteration gets; the result is
   * the carry after the last one. Inside, `slice` picks the iteration's part of stacked tensors.
   */
  repeat(
    count: number,
    init: GraphValue,
    options: { reverse?: boolean; recompute?: boolean; differentiable: boolean; name: string },
    build: (carry: GraphValue) => GraphValue,
  ): RepeatNode {
    if (this.current !== this.root) throw new Error('repeats do not nest')
    if (!Number.isInteger(count) || count < 1) throw new Error(`repeat: count is ${count} (want 1 or more)`)
    const body = new Body(options.name, this.current)
    const carry = this.value(init.spec, { kind: 'carry' }, options.differentiable, 'carry', body)
    const node: RepeatNode = {
      kind: 'repeat',
      count,
      reverse: options.reverse ?? false,
      recompute: options.recompute ?? false,
      body,
      init,
      carry,
      next: carry,
      result: carry,
    }
    node.next = this.within(body, () => {
      const next = build(carry)
      // what the next iteration gets must be written by this one
      let base = next
      while (base.origin.kind === 'view') base = base.origin.base
      if (base.origin.kind === 'node' && base.body === body && size(base) === size(carry)) return next
      return this.emit(copy, [next], {
        shape: next.spec.shape,
        strides: contiguous(next.spec.shape),
        offset: 0,
      })[0]
    })
    node.result = this.value(init.spec, { kind: 'result', repeat: node }, options.differentiable, 'result')
    this.current.nodes.push(node)
    return node
  }

  output(name: string, value: GraphValue): void {
    this.outputs.set(name, value)
  }
}

/** Elements of a value at capacity. */
export function size(value: Value): number {
  return value.spec.shape.reduce<number>((n, d) => n * capacity(d), 1)
}
