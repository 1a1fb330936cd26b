/**
 * An update of parameters whose values, gradients and moments are made up: what all benches of optimizers give to it, and what
 * should come out. The oracle computes the norms of a whole tensor in float64 and the new values of the elements that are compared.
 */
import type { ParameterSet, Segment } from '../../src/graph/parameters.js'
import { segmentTables } from '../../src/graph/segments.js'
import type { OptimizerAttrs } from '../../src/ops/lamb.js'
import { random } from '../../test/support/random.js'
import { fixed, type OpBench, once, sum } from './op_program.js'

export const optimizerAttrs: Omit<OptimizerAttrs, 'unscale'> = {
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-6,
  decay: 0.01,
  clip: 1,
}
export const optimizerScalars = { lr: 0.05, correction1: 0.5, correction2: 0.25 }
/** Global norm of the gradients, as if it had been found. */
export const optimizerNorm = 2.5

/** Operands of `lamb` and `adamw`. */
export function updateInputs(set: ParameterSet) {
  const n = set.arenaElements
  const { table, segments, chunkCount, segmentCount } = segmentTables(set)
  return {
    parameters: fixed(random(1).uniforms(n, -1, 1), n),
    gradients: fixed(random(2).uniforms(n, -1, 1), n),
    moment1: fixed(random(3).uniforms(n, -1, 1), n),
    moment2: fixed(random(4).uniforms(n, 0, 1), n),
    table: fixed(table, chunkCount, 3),
    segments: fixed(segments, segmentCount, 2),
    norm: fixed(Float32Array.of(optimizerNorm), 1),
  }
}

/** An update of these parameters, and what should come out. */
export function updateCase(set: ParameterSet, ratio: boolean): OpBench<OptimizerAttrs> {
  const [attrs, scalars, norm] = [optimizerAttrs, optimizerScalars, optimizerNorm]
  return {
    inputs: updateInputs(set),
    attrs: optimizerAttrs,
    scalars: optimizerScalars,
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
