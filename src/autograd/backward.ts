/**
 * Reverse-mode differentiation over the graph: appends to it the nodes that compute the gradient of a scalar with
 * respect to every parameter that it depends on.
 *
 * Activation gradients are values of their own; a value with several uses gets the sum. Gradients of parameters are
 * added onto the gradient arena, which the optimizer clears: several backward passes before an update add up.
 */
import { isFormOf, type Kernel } from '../device/kernel.js'
import type { Sizes } from '../device/program.js'
import type { Body, CallNode, Graph, GraphValue, Node, RepeatNode } from '../graph/graph.js'
import { owner } from '../graph/plan.js'
import { accumulate } from '../ops/accumulate.js'
import { binary } from '../ops/binary.js'
import { fill } from '../ops/fill.js'
import type { GradientScope, Writer } from '../ops/op.js'
import { elements, shapeText } from '../ops/shape.js'

/** Whether a value is all of what it is a view of. */
function isWhole({ origin, spec }: GraphValue): boolean {
  return origin.kind === 'view' && elements(origin.base.spec) === elements(spec)
}

/** The value whose gradient a gradient of `value` is. */
function represented(value: GraphValue): GraphValue {
  return value.represents ? represented(value.represents) : value
}

/** Gradients gathered so far of the values of one body. */
class Gradients {
  private readonly sums = new Map<GraphValue, GraphValue>()
  /** Values whose sum is held by nobody else, so that kernels may accumulate onto it. */
  private readonly owned = new Set<GraphValue>()
  /** The body that the gradient nodes go to. */
  private readonly home: Body

  constructor(
    private readonly graph: Graph,
    /** Where the gradient of a value of an outer body is gathered. */
    private readonly outer: (value: GraphValue) => GraphValue,
    private readonly forwardBody: Body,
  ) {
    this.home = graph.body
  }

  private isOuter(v: GraphValue): boolean {
    return v.body !== this.forwardBody && v.origin.kind !== 'state'
  }

  get(value: GraphValue): GraphValue | undefined {
    return this.sums.get(represented(value))
  }

  getOrZeros(given: GraphValue): GraphValue {
    const value = represented(given)
    let sum = this.sums.get(value)
    if (!sum) {
      sum = this.zeros(value)
      this.sums.set(value, sum)
      this.owned.add(value)
    }
    return sum
  }

  private zeros({ spec: { shape, dtype } }: GraphValue): GraphValue {
    return this.graph.within(this.home, () => this.graph.emit(fill, [], { shape, value: 0, dtype })[0])
  }

  /** Adds a gradient that was written to a value of its own. */
  give(given: GraphValue, gradient: GraphValue): void {
    const value = represented(given)
    if (!value.differentiable) return
    if (elements(gradient.spec) !== elements(value.spec) || gradient.spec.dtype !== value.spec.dtype) {
      const text = ({ spec: { shape, dtype } }: GraphValue) => `${shapeText(shape)} ${dtype}`
      throw new Error(`gradient of ${value.name} is ${text(gradient)}, not ${text(value)}`)
    }
    if (value.origin.kind === 'view') {
      const base = value.origin.base
      if (isWhole(value)) this.give(base, this.graph.view(gradient, base.spec.shape))
      else this.graph.emit(accumulate, [gradient, this.accumulator(value)], {})
      return
    }
    if (value.origin.kind === 'state' || value.origin.kind === 'slice' || this.isOuter(value)) {
      this.graph.emit(accumulate, [gradient, this.accumulator(value)], {})
      return
    }
    const sum = this.sums.get(value)
    if (!sum) {
      this.sums.set(value, this.graph.view(gradient, value.spec.shape))
      return
    }
    const other = this.graph.view(gradient, value.spec.shape)
    this.sums.set(value, this.graph.emit(binary, [sum, other], { fn: 'add' })[0])
    this.owned.add(value)
  }

  /** The value of this body, no part of another one, whose gradient is gathered for `given`; undefined where it is elsewhere. */
  private gathered(given: GraphValue): GraphValue | undefined {
    const value = represented(given)
    if (value.origin.kind === 'view') return isWhole(value) ? this.gathered(value.origin.base) : undefined
    return value.origin.kind === 'state' || value.origin.kind === 'slice' || this.isOuter(value)
      ? undefined
      : value
  }

  /** What was gathered so far, in the shape of the value, if a sum with it may take its place. */
  sum(given: GraphValue): GraphValue | undefined {
    const value = this.gathered(given)
    const sum = value && this.sums.get(value)
    return sum && this.graph.view(sum, given.spec.shape)
  }

  /** Puts a gradient in the place of what was gathered. */
  replace(given: GraphValue, gradient: GraphValue): void {
    const value = this.gathered(given)!
    this.sums.set(value, this.graph.view(gradient, value.spec.shape))
    this.owned.add(value)
  }

  /**
   * The call of a kernel of the body that wrote the gradient gathered for a value, all of it and nothing else, if no later
   * node has to do with it.
   */
  writer(given: GraphValue, kernel: Kernel): Writer | undefined {
    const value = this.gathered(given)
    const sum = value && this.sums.get(value)
    if (!sum || elements(owner(sum).spec) !== elements(sum.spec)) return undefined
    const { nodes } = this.graph.body
    const touches = (node: Node) =>
      node.kind === 'repeat' || node.bindings.some((binding) => owner(binding) === owner(sum))
    const at = nodes.findLastIndex(touches)
    const node = nodes[at]
    if (node?.kind !== 'call' || !isFormOf(node.kernel.name, kernel)) return undefined
    const slots = node.kernel.buffers
    const isWritten = slots.some(
      ({ access }, i) => access === 'write' && owner(node.bindings[i]) === owner(sum),
    )
    if (!isWritten || nodes.slice(0, at).some((before) => before.kind === 'call' && touches(before)))
      return undefined
    return {
      tensors: Object.fromEntries(slots.map(({ name }, i) => [name, node.bindings[i]])),
      replace: (op, other, bindings, attrs) => {
        this.graph.placed(node.place, () =>
          this.graph.call(op, other, bindings as Readonly<Record<string, GraphValue>>, attrs),
        )
        nodes[at] = nodes.pop()!
      },
    }
  }

  /** Memory onto which kernels may add the gradient of a value. */
  accumulator(given: GraphValue): GraphValue {
    const value = represented(given)
    const { origin } = value
    if (origin.kind === 'view')
      return this.graph.view(this.accumulator(origin.base), value.spec.shape, origin.offset)
    if (origin.kind === 'slice') return this.graph.slice(this.accumulator(origin.base))
    if (origin.kind === 'state')
      return this.graph.state('gradients', `d${value.name}`, origin.offset, value.spec, false)
    if (this.isOuter(value)) return this.outer(value)
    const sum = this.sums.get(value)
    if (sum && this.owned.has(value)) return sum
    const fresh = this.zeros(value)
    if (sum) this.graph.within(this.home, () => this.graph.emit(accumulate, [sum, fresh], {}))
    this.sums.set(value, fresh)
    this.owned.add(value)
    return fresh
  }
}

/** Appends the gradient nodes of one call. */
function differentiateCall(
  graph: Graph,
  gradients: Gradients,
  node: CallNode,
  replay: (v: GraphValue) => GraphValue,
): void {
  const { op, attrs, tensors } = node
  const arriving = op.outputs.some((name) => tensors[name] && gradients.get(tensors[name]))
  if (!arriving) return
  const wants = (input: string) => tensors[input].differentiable

  if (op.gradient) {
    const scope: GradientScope = {
      value: (name) => replay(tensors[name]),
      incoming: (output) => gradients.getOrZeros(tensors[output]),
      wants,
      give: (input, gradient) => gradients.give(tensors[input], gradient as GraphValue),
      sum: (input) => gradients.sum(tensors[input]),
      replace: (input, gradient) => gradients.replace(tensors[input], gradient as GraphValue),
      accumulator: (input) => gradients.accumulator(tensors[input]),
      writer: (output, kernel) => gradients.writer(tensors[output], kernel),
      emit: (other, inputs, a) => graph.emit(other, inputs as readonly GraphValue[], a),
      call: (other, kernel, bindings, a) =>
        graph.call(other, kernel, bindings as Readonly<Record<string, GraphValue>>, a),
      fresh: (spec) => graph.fresh(spec, `d${op.name}`),
      reshape: (value, shape) => graph.view(value as GraphValue, shape),
    }
    op.gradient(scope, attrs)
    return
  }
  // Backward kernels, slots bound by name. Temporaries are shared, so that one kernel can hand to the next.
  const bindings: Record<string, GraphValue> = {}
  for (const [name, value] of Object.entries(tensors)) bindings[name] = replay(value)
  const specs = Object.fromEntries(Object.entries(tensors).map(([name, v]) => [name, v.spec]))
  for (const [name, spec] of Object.entries(op.temporaries?.(specs, attrs) ?? {}))
    bindings[name] = graph.fresh(spec, `${op.name}.${name}`)
  for (const kernel of op.backward ?? []) {
    const made = op.inputs.filter((name) =>
      kernel.buffers.some((b) => b.name === `d${name}` && b.access !== 'read'),
    )
    if (made.length > 0 && !made.some(wants)) continue
    const written: string[] = []
    for (const slot of kernel.buffers) {
      const output = op.outputs.find((name) => slot.name === `d${name}`)
      const input = op.inputs.find((name) => slot.name === `d${name}`)
      if (output && slot.access === 'read') bindings[slot.name] = gradients.getOrZeros(tensors[output])
      else if (input && slot.access === 'write') {
        bindings[slot.name] = graph.fresh(tensors[input].spec, slot.name)
        written.push(input)
      } else if (input && slot.access === 'accumulate') {
        // a gradient that nobody asked for goes to memory that nobody reads
        bindings[slot.name] = wants(input)
          ? gradients.accumulator(tensors[input])
          : graph.emit(fill, [], { ...represented(tensors[input]).spec, value: 0 })[0]
      }
    }
    graph.call(op, kernel, bindings, attrs)
    for (const input of written) gradients.give(tensors[input], bindings[`d${input}`])
  }
}

/**
 * Appends the gradient of a repeat: a repeat over a new body that walks the iterations backwards. With `recompute`
 * the new body first runs the forward body again from the saved carry, so only the carry is kept per iteration.
 */
function differentiateRepeat(graph: Graph, gradients: Gradients, node: RepeatNode): void {
  const arriving = gradients.get(node.result)
  if (!arriving) return
  const backward = graph.repeat(
    node.count,
    arriving,
    { reverse: true, differentiable: false, name: `${node.body.name} backward` },
    (carry) => {
      const replayed = new Map<GraphValue, GraphValue>()
      const replay = (v: GraphValue): GraphValue => {
        const known = replayed.get(v)
        if (known) return known
        if (v.origin.kind === 'view' && owner(v) !== v && replayed.has(owner(v)))
          return graph.view(replay(v.origin.base), v.spec.shape, v.origin.offset)
        return v
      }
      if (node.recompute) {
        for (const call of node.body.nodes as CallNode[]) {
          const bindings = call.bindings.map((v, i) => {
            if (call.kernel.buffers[i].access === 'read' || v.origin.kind !== 'node' || v.body !== node.body)
              return replay(v)
            const known = replayed.get(v)
            if (known) return known
            const copy = graph.fresh(v.spec, v.name)
            replayed.set(v, copy)
            return copy
          })
          const work = (sizes: Sizes) => ({ ...call.work(sizes), modelFlops: 0 })
          graph.body.nodes.push({ ...call, bindings, tensors: {}, label: `${call.label} again`, work })
        }
      }
      const inner = new Gradients(graph, (v) => gradients.accumulator(v), node.body)
      inner.give(node.next, carry)
      for (const call of [...(node.body.nodes as CallNode[])].reverse())
        graph.named(call.place, () => differentiateCall(graph, inner, call, replay))
      return inner.getOrZeros(node.carry)
    },
  )
  gradients.give(node.init, backward.result)
}

/**
 * Appends the backward pass of `loss`, a tensor of one element. `seed` is the gradient that it starts from
 * (default 1): a number, or the name of a run-time scalar, such as a loss scale.
 */
export function backward(graph: Graph, loss: GraphValue, seed: number | string = 1): void {
  if (elements(loss.spec) !== 1)
    throw new Error(`backward: loss is ${shapeText(loss.spec.shape)} (want one element)`)
  if (!loss.differentiable) throw new Error('backward: the loss depends on no parameter')
  const tape = [...graph.root.nodes]
  const gradients = new Gradients(
    graph,
    (v) => {
      throw new Error(`${v.name} belongs to no body`)
    },
    graph.root,
  )
  const start = typeof seed === 'number' ? { value: seed } : { value: 1, scalar: seed }
  gradients.give(loss, graph.emit(fill, [], { shape: loss.spec.shape, ...start })[0])
  for (const node of tape.reverse()) {
    // gradients belong where their op does
    if (node.kind === 'call')
      graph.named(node.place, () => differentiateCall(graph, gradients, node, (v) => v))
    else differentiateRepeat(graph, gradients, node)
  }
}
