/** An update of parameters whose values, gradients and moments are made up: what all benches of optimizers give to it. */
import type { ParameterSet } from '../../src/graph/parameters.js'
import { segmentTables } from '../../src/graph/segments.js'
import type { OptimizerAttrs } from '../../src/ops/lamb.js'
import { random } from '../../test/support/random.js'
import { fixed } from './op_program.js'

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
