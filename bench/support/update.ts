/**
 * An update of the parameters of ALBERT base: what the benches of the optimizers share. Their oracle computes the
 * norms of a whole tensor in float64 and the new values of the elements that are compared.
 */
import { ParameterSet, type Segment, zeros } from '../../src/graph/parameters.js'
import type { OptimizerAttrs } from '../../src/ops/lamb.js'
import type { Op } from '../../src/ops/op.js'
import { steps } from '../shapes.js'
import { benchOp, type OpBench, once, sum } from './op.js'
import { optimizerAttrs, optimizerNorm, optimizerScalars, updateInputs } from './update_inputs.js'

/** Parameters of the size and kind of ALBERT base's, without their meaning. */
export function baseParameters(): ParameterSet {
  const { V, E, H, I } = steps.base_8x128
  const set = new ParameterSet()
  const add = (name: string, ...shape: number[]) => set.add(name, shape, { init: zeros })
  add('word', V, E)
  add('position', 512, E)
  add('mapping', H, E)
  const parts = ['q', 'k', 'v'].map((name) => ({ name, rows: H }))
  set.add('qkv', [3 * H, H], { init: zeros, parts })
  for (const name of ['output', 'pooler']) add(name, H, H)
  add('up', I, H)
  add('down', H, I)
  for (const name of ['bias_output', 'bias_down', 'norm_weight', 'norm_bias']) add(name, H)
  add('bias_up', I)
  add('bias_vocabulary', V)
  return set
}

const attrs = optimizerAttrs
const scalars = optimizerScalars
const norm = optimizerNorm

/** One update by `op`; with `ratio` the oracle has LAMB's trust ratio. */
export function benchUpdate(op: Op<OptimizerAttrs>, ratio: boolean): Promise<void> {
  return benchOp('base', op, updateCase(baseParameters(), ratio))
}

/** An update of these parameters, and what should come out. */
export function updateCase(set: ParameterSet, ratio: boolean): OpBench<OptimizerAttrs> {
  return {
    inputs: updateInputs(set),
    attrs,
    scalars,
    sample: (_, draw) => {
      const { offset, size } = draw.pick(set.segments)
      return offset + draw.integer(size)
    },
    expected({ parameters: p, gradients: g, moment1, moment2 }) {
      const m = (i: number) => attrs.beta1 * moment1[i] + (1 - attrs.beta1) * (g[i] / norm)
      const v = (i: number) => attrs.beta2 * moment2[i] + (1 - attrs.beta2) * (g[i] / norm) ** 2
      const u = (i: number, { decay }: Segment) =>
        m(i) / scalars.correction1 / (Math.sqrt(v(i) / scalars.correction2) + attrs.eps) +
        (decay ? attrs.decay * p[i] : 0)
      const trust = once((k) => {
        const s = set.segments[k]
        if (!ratio || !s.adapt) return 1
        const squareP = sum(s.size, (i) => p[s.offset + i] ** 2)
        return Math.sqrt(squareP / sum(s.size, (i) => u(s.offset + i, s) ** 2))
      })
      const segmentOf = (i: number) =>
        set.segments.findIndex(({ offset, size }) => i >= offset && i < offset + size)
      const inside = (i: number, before: ArrayLike<number>, after: (k: number) => number) => {
        const k = segmentOf(i)
        return k < 0 ? before[i] : after(k)
      }
      return {
        parameters: (i) => inside(i, p, (k) => p[i] - scalars.lr * trust(k) * u(i, set.segments[k])),
        gradients: (i) => inside(i, g, () => 0),
        moment1: (i) => inside(i, moment1, () => m(i)),
        moment2: (i) => inside(i, moment2, () => v(i)),
      }
    },
  }
}
