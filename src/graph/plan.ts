/**
 * The planner: gives every value of a graph its bytes. Values that live at the same time never overlap; all of them
 * lie in one arena whose size is known before the first step. Parameters, gradients and moments keep arenas of their own.
 *
 * A value written inside a repeat and needed by another body (backward) is stacked: one slot per iteration. The carry
 * of a repeat has two slots that take turns, or one per iteration and one more if backward needs it. What only its
 * own iteration needs lies in the workspace of the body, which lives no longer than the repeat itself.
 */
import { byteSize } from '../ops/shape.js'
import type { Body, CallNode, Graph, GraphValue, RepeatNode, StateArena } from './graph.js'

/** Offsets are multiples of this many bytes: what the strictest device (WebGPU) asks of a binding. */
export const STORAGE_ALIGNMENT = 256

export type ArenaName = StateArena | 'activations'

/** Where a value is. In iteration i of its body: `offset + ((i + shift) % modulo) * stride`. */
export interface Place {
  readonly arena: ArenaName
  readonly offset: number
  readonly stride: number
  readonly shift: number
  readonly modulo: number
}

export interface Plan {
  place(value: GraphValue): Place
  /** Where the initial value of a repeat's carry has to be put. */
  carryStart(repeat: RepeatNode): Place
  /** Size of the activation arena. */
  readonly bytes: number
  /** Activation bytes that are live during each node of the step. */
  readonly liveBytes: readonly number[]
}

/** A range of an arena with the first and last node during which it is needed. */
interface Storage {
  readonly name: string
  readonly bytes: number
  first: number
  last: number
  offset: number
}

const align = (bytes: number) => Math.ceil(bytes / STORAGE_ALIGNMENT) * STORAGE_ALIGNMENT

/** Offsets such that storages which live at the same time do not overlap: largest first, each as low as it fits. */
function assign(storages: readonly Storage[]): number {
  const placed: Storage[] = []
  let end = 0
  for (const s of [...storages].sort((a, b) => b.bytes - a.bytes)) {
    const near = placed
      .filter((p) => p.first <= s.last && s.first <= p.last)
      .sort((a, b) => a.offset - b.offset)
    let offset = 0
    for (const p of near) {
      if (offset + s.bytes <= p.offset) break
      offset = Math.max(offset, p.offset + p.bytes)
    }
    s.offset = offset
    placed.push(s)
    end = Math.max(end, offset + s.bytes)
  }
  return end
}

/** The value whose memory a view or a slice shares. */
export function owner(value: GraphValue): GraphValue {
  let v = value
  while (v.origin.kind === 'view' || v.origin.kind === 'slice') v = v.origin.base
  return v
}

export function planGraph(graph: Graph): Plan {
  const repeats = graph.root.nodes.filter((n): n is RepeatNode => n.kind === 'repeat')
  const repeatOf = new Map<Body, RepeatNode>(repeats.map((r) => [r.body, r]))
  const byNext = new Map(repeats.map((r) => [owner(r.next), r]))

  // Values of one body that another body reads: these are stacked.
  const stacked = new Set<GraphValue>()
  for (const r of repeats)
    for (const node of r.body.nodes as CallNode[])
      for (const binding of node.bindings) {
        const v = owner(binding)
        if (v.body !== graph.root && v.body !== r.body) stacked.add(v)
      }

  const storages = new Map<GraphValue | RepeatNode, Storage>()
  const locals = new Map<Body, Map<GraphValue, Storage>>()
  const touch = (
    map: Map<GraphValue | RepeatNode, Storage>,
    key: GraphValue | RepeatNode,
    name: string,
    bytes: number,
    at: number,
  ) => {
    const s = map.get(key)
    if (s) s.last = at
    else map.set(key, { name, bytes: align(bytes), first: at, last: at, offset: 0 })
  }
  const carryIsStacked = (r: RepeatNode) => stacked.has(r.carry) || stacked.has(owner(r.next))
  const carrySlots = (r: RepeatNode) => (carryIsStacked(r) ? r.count + 1 : 2)
  const touchCarry = (r: RepeatNode, at: number) =>
    touch(storages, r, `${r.body.name} carry`, carrySlots(r) * align(byteSize(r.carry.spec)), at)

  /** Notes that `value` is needed by node `at` of the step (and node `inner` of the body `within`). */
  const need = (value: GraphValue, at: number, within?: Body, inner = 0): void => {
    const v = owner(value)
    const bytes = byteSize(v.spec)
    switch (v.origin.kind) {
      case 'state':
        return
      case 'input':
        touch(storages, v, v.name, bytes, storages.has(v) ? at : 0)
        storages.get(v)!.last = at
        return
      case 'result':
        return touchCarry(v.origin.repeat, at)
      case 'carry':
        return touchCarry(repeatOf.get(v.body)!, at)
      default: {
        const carried = byNext.get(v)
        if (carried) return touchCarry(carried, at)
        if (v.body === graph.root) return touch(storages, v, v.name, bytes, at)
        if (stacked.has(v)) return touch(storages, v, v.name, repeatOf.get(v.body)!.count * align(bytes), at)
        if (v.body !== within) throw new Error(`${v.name} is used outside its repeat`)
        let map = locals.get(within)
        if (!map) {
          map = new Map()
          locals.set(within, map)
        }
        touch(map as Map<GraphValue | RepeatNode, Storage>, v, v.name, bytes, inner)
      }
    }
  }

  graph.root.nodes.forEach((node, at) => {
    if (node.kind === 'call') {
      for (const v of node.bindings) need(v, at)
      return
    }
    need(node.init, at)
    touchCarry(node, at)
    ;(node.body.nodes as CallNode[]).forEach((call, inner) => {
      for (const v of call.bindings) need(v, at, node.body, inner)
    })
  })
  const end = graph.root.nodes.length
  for (const v of graph.inputs.values()) need(v, storages.get(v)?.last ?? 0)
  for (const v of graph.outputs.values()) need(v, end)

  const workspaces = new Map<Body, Storage>()
  graph.root.nodes.forEach((node, at) => {
    if (node.kind !== 'repeat') return
    const map = locals.get(node.body)
    const bytes = map ? assign([...map.values()]) : 0
    workspaces.set(node.body, {
      name: `${node.body.name} workspace`,
      bytes: align(bytes),
      first: at,
      last: at,
      offset: 0,
    })
  })
  const all = [...storages.values(), ...workspaces.values()]
  const bytes = assign(all)
  const liveBytes = Array.from({ length: end + 1 }, (_, at) =>
    all.reduce((n, s) => n + (s.first <= at && at <= s.last ? s.bytes : 0), 0),
  )

  const slot = (r: RepeatNode, shift: number, constant: boolean): Place => {
    const s = storages.get(r)!
    const stride = align(byteSize(r.carry.spec))
    const modulo = carrySlots(r)
    if (constant)
      return {
        arena: 'activations',
        offset: s.offset + (shift % modulo) * stride,
        stride: 0,
        shift: 0,
        modulo: 1,
      }
    return { arena: 'activations', offset: s.offset, stride, shift, modulo }
  }
  const fixed = (arena: ArenaName, offset: number): Place => ({
    arena,
    offset,
    stride: 0,
    shift: 0,
    modulo: 1,
  })

  const place = (value: GraphValue): Place => {
    const { origin } = value
    switch (origin.kind) {
      case 'state':
        return fixed(origin.arena, origin.offset * 4)
      case 'view': {
        const base = place(origin.base)
        return { ...base, offset: base.offset + origin.offset * 4 }
      }
      case 'slice': {
        const base = place(origin.base)
        if (base.stride !== 0) throw new Error(`${value.name}: a slice of a value that is itself stacked`)
        return { ...base, stride: byteSize(value.spec), shift: 0, modulo: repeatOf.get(value.body)!.count }
      }
      case 'input':
        return fixed('activations', storages.get(value)!.offset)
      case 'carry': {
        const r = repeatOf.get(value.body)!
        return slot(r, r.reverse ? 1 : 0, false)
      }
      case 'result': {
        const r = origin.repeat
        return slot(r, r.reverse ? 0 : r.count, true)
      }
      case 'node': {
        const carried = byNext.get(value)
        if (carried) return slot(carried, carried.reverse ? 0 : 1, false)
        if (value.body === graph.root) return fixed('activations', storages.get(value)!.offset)
        if (stacked.has(value)) {
          const stride = align(byteSize(value.spec))
          return {
            arena: 'activations',
            offset: storages.get(value)!.offset,
            stride,
            shift: 0,
            modulo: repeatOf.get(value.body)!.count,
          }
        }
        const local = locals.get(value.body)!.get(value)!
        return fixed('activations', workspaces.get(value.body)!.offset + local.offset)
      }
    }
  }
  return {
    place,
    carryStart: (r) => slot(r, r.reverse ? r.count : 0, true),
    bytes,
    liveBytes,
  }
}
