/**
 * A parameter set with several kinds of segments, and some steps of an optimizer op on whole arenas of it: what the tests
 * of lamb and adamw share. Gaps between parameters hold sentinels that no kernel may touch.
 */
import type { Device } from '../../src/device/device.js'
import { ParameterSet, type Segment, zeros } from '../../src/graph/parameters.js'
import { segmentTables } from '../../src/graph/segments.js'
import type { OptimizerAttrs } from '../../src/ops/lamb.js'
import type { Op } from '../../src/ops/op.js'
import { fail } from './failure.js'
import { runKernel } from './kernel_case.js'
import { random } from './random.js'

export const ARENAS = ['parameters', 'gradients', 'moment1', 'moment2'] as const
export type State = Record<(typeof ARENAS)[number], Float32Array>

export interface Scalars {
  lr: number
  correction1: number
  correction2: number
  /** Where the attributes name it. */
  unscale?: number
}

/** Stands between parameters. */
export const GAP = 12345

/** Odd sizes, a segment of several chunks, parts, excluded and untrainable ones, and one that starts at zero. */
export function oddParameters(): ParameterSet {
  const set = new ParameterSet()
  set.add('word', [211, 157], { init: zeros })
  set.add('bias', [37], { init: zeros })
  set.add('frozen', [40, 7], { init: zeros, trainable: false })
  const parts = ['q', 'k', 'v'].map((name) => ({ name, rows: 5 }))
  set.add('qkv', [15, 13], { init: zeros, parts })
  set.add('norm', [1], { init: zeros, decay: false, adapt: false })
  set.add('decayed', [19], { init: zeros, decay: true, adapt: false })
  set.add('adapted', [3, 3], { init: zeros, decay: false, adapt: true })
  set.add('zero', [4, 9], { init: zeros })
  return set
}

function inSegments(set: ParameterSet, value: (segment: Segment, i: number) => number): Float32Array {
  const data = new Float32Array(set.arenaElements).fill(GAP)
  for (const segment of set.segments)
    for (let i = 0; i < segment.size; i++) data[segment.offset + i] = value(segment, i)
  return data
}

/** Parameters at random, `zero` at zero, moments zero, gradients to be filled. */
export function startingState(set: ParameterSet): State {
  const r = random(1)
  const nothing = () => inSegments(set, () => 0)
  return {
    parameters: inSegments(set, ({ name }) => (name === 'zero' ? 0 : r.normal() * 0.1)),
    gradients: nothing(),
    moment1: nothing(),
    moment2: nothing(),
  }
}

/** Gradients of one step. */
export function gradientsOf(set: ParameterSet, step: number): Float32Array {
  const r = random(100 + step)
  return inSegments(set, ({ name }) => (name === 'adapted' && step < 2 ? 0 : r.normal() * 0.03))
}

/** The norm over trainable segments, in float64. */
export function normOf(set: ParameterSet, gradients: ArrayLike<number>): number {
  let s = 0
  for (const { offset, size, trainable } of set.segments)
    for (let i = 0; trainable && i < size; i++) s += gradients[offset + i] ** 2
  return Math.sqrt(s)
}

/** One step on a device, in place. */
export async function stepOnDevice(
  device: Device,
  op: Op<OptimizerAttrs>,
  set: ParameterSet,
  state: State,
  norm: number,
  attrs: OptimizerAttrs,
  scalars: Scalars,
): Promise<State> {
  const { table, segments, chunkCount, segmentCount } = segmentTables(set)
  const arena = (name: keyof State) => ({ shape: [set.arenaElements], data: state[name] })
  const buffers = {
    parameters: arena('parameters'),
    gradients: arena('gradients'),
    moment1: arena('moment1'),
    moment2: arena('moment2'),
    table: { shape: [chunkCount, 3], data: table },
    segments: { shape: [segmentCount, 2], data: segments },
    norm: { shape: [1], data: Float32Array.of(norm) },
  }
  const result = await runKernel(device, op, op.forward, buffers, attrs, { ...scalars })
  const used = inSegments(set, () => 0)
  const next = {} as State
  for (const name of ARENAS) {
    next[name] = result[name]
    used.forEach((v, i) => {
      if (v === GAP && result[name][i] !== GAP) fail(`${op.name} changed the gap at ${i} of ${name}`)
    })
  }
  return next
}

/**
 * The same step in float64, on arrays that are changed in place, straight from the formulas. `ratio` has the trust
 * ratio; without it every segment takes the plain step.
 */
export function stepInFloat64(
  set: ParameterSet,
  state: Record<keyof State, Float64Array>,
  attrs: OptimizerAttrs,
  { lr, correction1, correction2 }: Scalars,
  ratio: boolean,
): void {
  const { parameters: p, gradients: g, moment1: m, moment2: v } = state
  const norm = normOf(set, g)
  const factor = attrs.clip > 0 && norm > attrs.clip ? attrs.clip / norm : 1
  for (const { offset, size, decay, adapt, trainable } of set.segments) {
    if (!trainable) continue
    const u = new Float64Array(size)
    let squareP = 0
    let squareU = 0
    for (let k = 0; k < size; k++) {
      const i = offset + k
      const grad = g[i] * factor
      m[i] = attrs.beta1 * m[i] + (1 - attrs.beta1) * grad
      v[i] = attrs.beta2 * v[i] + (1 - attrs.beta2) * grad * grad
      u[k] = m[i] / correction1 / (Math.sqrt(v[i] / correction2) + attrs.eps)
      if (decay) u[k] += attrs.decay * p[i]
      squareP += p[i] * p[i]
      squareU += u[k] * u[k]
    }
    const trust = ratio && adapt && squareP > 0 && squareU > 0 ? Math.sqrt(squareP / squareU) : 1
    for (let k = 0; k < size; k++) p[offset + k] -= lr * trust * u[k]
    g.fill(0, offset, offset + size)
  }
}
