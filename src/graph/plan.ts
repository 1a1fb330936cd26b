/**
 * The planner: gives every value of a graph its bytes. Values that live at the same time never overlap; all of them
 * lie in one arena whose size is known before the first step. Parameters, gradients and moments keep arenas of their own.
 *
 * A value written inside a repeat and needed by another body (backward) is stacked: one slot per iteration. The carry
 * of a repeat has two slots that take turns, or one per iteration and one more if backward needs it. What only its
 * own iteration needs lies in the workspace of the body, which lives no longer than the repeat itself.
 */
import { byteSize, elementBytes } from '../ops/shape.js'
import type { Body, CallNode, Graph, GraphValue, RepeatNode, StateArena } from './graph.js'
import { align, assignOffsets, type Storage, StorageMap } from './storage.js'

export type ArenaName = StateArena | 'activations'

/** Where a value is. In iteration i of its body: `offset + ((i + shift) % modulo) * stride`. */
export interface Place {
  readonly arena: ArenaName
  readonly offset: number
  readonly stride: number
  readonly shift: number
  readonly modulo: number
}

/** The value whose memory a view or a slice shares. */
export function owner(value: GraphValue): GraphValue {
  let v = value
  while (v.origin.kind === 'view' || v.origin.kind === 'slice') v = v.origin.base
  return v
}

/** A place that is the same in every iteration. */
function fixed(arena: ArenaName, offset: number): Place {
  return { arena, offset, stride: 0, shift: 0, modulo: 1 }
}

export class Plan {
  /** Size of the activation arena. */
  readonly bytes: number

  private readonly repeatOf = new Map<Body, RepeatNode>()
  /** Repeats by the value that they hand to the next iteration. */
  private readonly byNext = new Map<GraphValue, RepeatNode>()
  /** Values of one body that another body reads. */
  private readonly stacked = new Set<GraphValue>()
  /** What lives across nodes of the step: values, and carries by their repeat. */
  private readonly storages = new StorageMap<GraphValue | RepeatNode>()
  private readonly workspaces = new Map<Body, { values: StorageMap<GraphValue>; storage: Storage }>()

  /** `block`: values lie across no multiple of so many bytes, where a device asks for it. */
  constructor(
    private readonly graph: Graph,
    private readonly block?: number,
  ) {
    const { nodes } = graph.root
    for (const node of nodes) {
      if (node.kind !== 'repeat') continue
      this.repeatOf.set(node.body, node)
      this.byNext.set(owner(node.next), node)
      for (const call of node.body.nodes as CallNode[])
        for (const binding of call.bindings) {
          const v = owner(binding)
          if (v.body !== graph.root && v.body !== node.body) this.stacked.add(v)
        }
    }
    for (const v of graph.inputs.values()) this.need(v, 0)
    nodes.forEach((node, at) => {
      if (node.kind === 'call') for (const v of node.bindings) this.need(v, at)
      else this.needRepeat(node, at)
    })
    for (const v of graph.outputs.values()) this.need(v, nodes.length)

    const all = [...this.storages.all, ...[...this.workspaces.values()].map((w) => w.storage)]
    this.bytes = assignOffsets(all, block)
  }

  private needRepeat(node: RepeatNode, at: number): void {
    this.need(node.init, at)
    this.needCarry(node, at)
    const values = new StorageMap<GraphValue>()
    ;(node.body.nodes as CallNode[]).forEach((call, inner) => {
      for (const v of call.bindings) this.need(v, at, { body: node.body, values, inner })
    })
    const bytes = assignOffsets(values.all, this.block)
    const name = `${node.body.name} workspace`
    this.workspaces.set(node.body, { values, storage: { name, bytes, first: at, last: at, offset: 0 } })
  }

  private carrySlots(node: RepeatNode): number {
    return this.stacked.has(node.carry) || this.stacked.has(owner(node.next)) ? node.count + 1 : 2
  }

  private needCarry(node: RepeatNode, at: number): void {
    const bytes = this.carrySlots(node) * align(byteSize(node.carry.spec))
    this.storages.touch(node, `${node.body.name} carry`, bytes, at)
  }

  /** Notes that node `at` of the step needs `value`; inside a repeat, its node `inner` does. */
  private need(
    value: GraphValue,
    at: number,
    inside?: { body: Body; values: StorageMap<GraphValue>; inner: number },
  ): void {
    const v = owner(value)
    const { kind } = v.origin
    const bytes = byteSize(v.spec)
    const carrier =
      v.origin.kind === 'result'
        ? v.origin.repeat
        : kind === 'carry'
          ? this.repeatOf.get(v.body)
          : this.byNext.get(v)
    if (kind === 'state') return
    if (carrier) this.needCarry(carrier, at)
    else if (v.body === this.graph.root) this.storages.touch(v, v.name, bytes, at)
    else if (this.stacked.has(v))
      this.storages.touch(v, v.name, this.repeatOf.get(v.body)!.count * align(bytes), at)
    else if (inside && v.body === inside.body) inside.values.touch(v, v.name, bytes, inside.inner)
    else throw new Error(`${v.name} is used outside its repeat`)
  }

  /** The carry's slot `shift` iterations after the current one, or slot number `shift` if it is `constant`. */
  private slot(node: RepeatNode, shift: number, constant: boolean): Place {
    const offset = this.storages.offset(node)
    const stride = align(byteSize(node.carry.spec))
    const modulo = this.carrySlots(node)
    if (constant) return fixed('activations', offset + (shift % modulo) * stride)
    return { arena: 'activations', offset, stride, shift, modulo }
  }

  /** Where the initial value of a repeat's carry has to be put. */
  carryStart(node: RepeatNode): Place {
    return this.slot(node, node.reverse ? node.count : 0, true)
  }

  place(value: GraphValue): Place {
    const { origin } = value
    switch (origin.kind) {
      case 'state':
        return fixed(origin.arena, origin.offset * 4)
      case 'view': {
        const base = this.place(origin.base)
        return { ...base, offset: base.offset + origin.offset * elementBytes(value.spec.dtype) }
      }
      case 'slice': {
        const base = this.place(origin.base)
        if (base.stride !== 0) throw new Error(`${value.name}: a slice of a value that is itself stacked`)
        return { ...base, stride: byteSize(value.spec), modulo: this.repeatOf.get(value.body)!.count }
      }
      case 'input':
        return fixed('activations', this.storages.offset(value))
      // forwards, iteration i reads slot i of the carry and writes slot i + 1; backwards the other way
      case 'carry': {
        const node = this.repeatOf.get(value.body)!
        return this.slot(node, node.reverse ? 1 : 0, false)
      }
      case 'result':
        return this.slot(origin.repeat, origin.repeat.reverse ? 0 : origin.repeat.count, true)
      case 'node':
        return this.placeOfNode(value)
    }
  }

  private placeOfNode(value: GraphValue): Place {
    const carrier = this.byNext.get(value)
    if (carrier) return this.slot(carrier, carrier.reverse ? 0 : 1, false)
    if (value.body === this.graph.root) return fixed('activations', this.storages.offset(value))
    if (this.stacked.has(value)) {
      const stride = align(byteSize(value.spec))
      const modulo = this.repeatOf.get(value.body)!.count
      return { arena: 'activations', offset: this.storages.offset(value), stride, shift: 0, modulo }
    }
    const { values, storage } = this.workspaces.get(value.body)!
    return fixed('activations', storage.offset + values.offset(value))
  }
}
