/** Turns a planned graph into the program that a device prepares: values become byte ranges, nodes become calls. */
import { inHalf } from '../device/kernel.js'
import type { Call, Program, Ref, Repeat, ScalarSlot } from '../device/program.js'
import { ITERATION } from '../device/program.js'
import { contiguous, copy } from '../ops/copy.js'
import { byteSize, isHalf } from '../ops/shape.js'
import { kernelWork } from '../ops/work.js'
import type { CallNode, Graph, GraphValue, Node, RepeatNode } from './graph.js'
import type { ArenaName, Place, Plan } from './plan.js'

export const ARENAS: readonly ArenaName[] = [
  'activations',
  'parameters',
  'gradients',
  'moment1',
  'moment2',
  'operands',
]

/** How many calls of a program nodes become, each call of a repeat counted once. */
export function callCount(nodes: readonly Node[]): number {
  return nodes.reduce((n, node) => n + 1 + (node.kind === 'repeat' ? node.body.nodes.length : 0), 0)
}

/** `stateBytes`: size of the parameter arena and of each arena laid out like it. */
export function lower(name: string, graph: Graph, plan: Plan, stateBytes: number): Program {
  const used = new Set<ArenaName>(['activations', 'parameters'])
  const scalars = new Map<string, ScalarSlot>()

  const toRef = (place: Place, bytes: number): Ref => {
    used.add(place.arena)
    const { offset, stride, shift } = place
    return { arena: ARENAS.indexOf(place.arena), offset, bytes, stride, shift, modulo: place.modulo }
  }
  const refOf = (value: GraphValue): Ref => toRef(plan.place(value), byteSize(value.spec))
  const lowerCall = (node: CallNode): Call => {
    node.params.forEach((value, i) => {
      if (typeof value === 'number' || value.scalar === ITERATION) return
      const type = node.kernel.params[i].type === 'f32' ? 'f32' : 'u32'
      const known = scalars.get(value.scalar)
      if (known && known.type !== type)
        throw new Error(`scalar ${value.scalar} is used as ${known.type} and as ${type}`)
      scalars.set(value.scalar, { name: value.scalar, type })
    })
    return {
      kind: 'call',
      kernel: node.kernel,
      refs: node.bindings.map((v) => refOf(v)),
      params: node.params,
      label: node.label,
      work: node.work,
    }
  }
  const copyInit = (node: RepeatNode): Call => {
    const { spec } = node.init
    const attrs = { shape: spec.shape, strides: contiguous(spec.shape), offset: 0 }
    const values = copy.params({ x: spec, y: spec }, attrs)
    const bytes = byteSize(spec)
    return {
      kind: 'call',
      kernel: isHalf(spec.dtype) ? inHalf(copy.forward, spec.dtype) : copy.forward,
      refs: [refOf(node.init), toRef(plan.carryStart(node), bytes)],
      params: copy.forward.params.map((slot) => values[slot.name]),
      label: `${copy.forward.name} ${node.body.name}`,
      work: kernelWork(copy, copy.forward, { x: spec, y: spec }, attrs, [spec, spec]),
    }
  }

  const steps: (Call | Repeat)[] = []
  for (const node of graph.root.nodes) {
    if (node.kind === 'call') steps.push(lowerCall(node))
    else {
      steps.push(copyInit(node))
      const body = (node.body.nodes as CallNode[]).map((n) => lowerCall(n))
      steps.push({ kind: 'repeat', count: node.count, reverse: node.reverse, body })
    }
  }
  const bytesOf = (arena: ArenaName): number => {
    if (arena === 'activations') return plan.bytes
    if (!used.has(arena)) return 0
    return arena === 'operands' ? graph.parameters.operandBytes : stateBytes
  }
  const arenas = ARENAS.map((arena) => ({ name: arena, bytes: bytesOf(arena) }))
  return { name, arenas, scalars: [...scalars.values()], steps }
}
