/**
 * One LAMB step on whole arenas, in place (You et al. 2020, "Large batch optimization for deep learning", as the
 * original ALBERT runs it). For every element of a segment, g multiplied by unscale and by min(1, clip / norm) first:
 *
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   u = (m / correction1) / (sqrt(v / correction2) + eps) + decay p      (decay only where bit 0 of the flags is set)
 *   p -= lr ratio u,  ratio = |p| / |u| over the segment if both are positive and bit 1 (adapt) is set, else 1
 *   g = 0
 *
 * A segment whose bit 2 (trainable) is not set stays as it is. Where the norm is not finite nothing changes but the
 * gradients, which are cleared. Run-time scalars: lr, correction1, correction2 (1 - beta^t; 1 for no bias correction).
 *
 * `unscale` is 1 / loss scale where gradients are those of a loss that was multiplied (Micikevicius et al. 2018, "Mixed
 * precision training", section 3.2), else 1; the norm is that of unscaled gradients. It is part of one factor with the
 * clipping, so it costs nothing; of a scale that is a power of two no bit of any result depends on it.
 */
import { kernel } from '../device/kernel.js'
import { unscaleParam } from './global_norm.js'
import { defineOp, type Op, shapeError } from './op.js'
import { capacity, elements, f32, type Spec } from './shape.js'

export type OptimizerAttrs = {
  readonly beta1: number
  readonly beta2: number
  /** Positive. */
  readonly eps: number
  /** Weight decay, 0 for none. */
  readonly decay: number
  /** Largest global norm of the gradients, 0 for no clipping. */
  readonly clip: number
  /** Name of the run-time scalar that gradients are multiplied by first; none: 1. */
  readonly unscale?: string
}

/** Inputs that optimizers share: arenas [n], then tables as graph/segments.ts makes them, then the norm of the gradients [1]. */
export const OPTIMIZER_INPUTS = [
  'parameters',
  'gradients',
  'moment1',
  'moment2',
  'table',
  'segments',
  'norm',
] as const

/** Checks an optimizer's inputs; it has no outputs. */
export function checkOptimizer(op: string, inputs: readonly Spec[], { eps }: OptimizerAttrs): [] {
  if (!(eps > 0)) throw new Error(`${op}: eps is ${eps} (want a positive number)`)
  const [parameters, gradients, moment1, moment2, table, segments, norm] = inputs
  const n = elements(parameters)
  if (
    [gradients, moment1, moment2].some((s) => elements(s) !== n) ||
    table.shape[1] !== 3 ||
    table.dtype !== 'i32' ||
    segments.shape[1] !== 2 ||
    segments.dtype !== 'i32' ||
    elements(norm) !== 1
  )
    throw shapeError(
      op,
      { parameters, gradients, moment1, moment2, table, segments, norm },
      'four arenas of equal size, table i32 [chunks,3], segments i32 [S,2], norm [1]',
    )
  return []
}

/** Parameters that optimizers share. 1 - beta is rounded once from double, as 1 - f32(beta) would lose digits. */
export const optimizerParams: Op<OptimizerAttrs>['params'] = ({ table, segments }, attrs) => ({
  chunk_count: capacity(table.shape[0]),
  segment_count: capacity(segments.shape[0]),
  lr: { scalar: 'lr', times: 1 },
  beta1: attrs.beta1,
  beta2: attrs.beta2,
  rest1: 1 - attrs.beta1,
  rest2: 1 - attrs.beta2,
  eps: attrs.eps,
  decay: attrs.decay,
  clip: attrs.clip,
  unscale: unscaleParam(attrs.unscale),
  correction1: { scalar: 'correction1', times: 1 },
  correction2: { scalar: 'correction2', times: 1 },
})

export const lamb = defineOp<OptimizerAttrs>({
  name: 'lamb',
  inputs: OPTIMIZER_INPUTS,
  outputs: [],
  infer: (inputs, attrs) => checkOptimizer('lamb', inputs, attrs),
  params: optimizerParams,
  /** Two doubles a chunk: |p|^2 and |u|^2. */
  temporaries: ({ table }) => ({ partial: f32(table.shape[0], 4) }),
  forward: kernel(
    'lamb_forward',
    {
      parameters: 'accumulate',
      gradients: 'accumulate',
      moment1: 'accumulate',
      moment2: 'accumulate',
      table: 'read',
      segments: 'read',
      norm: 'read',
      partial: 'scratch',
    },
    {
      chunk_count: 'u32',
      segment_count: 'u32',
      lr: 'f32',
      beta1: 'f32',
      beta2: 'f32',
      rest1: 'f32',
      rest2: 'f32',
      eps: 'f32',
      decay: 'f32',
      clip: 'f32',
      unscale: 'f32',
      correction1: 'f32',
      correction2: 'f32',
    },
  ),
  flops: ({ parameters }) => 20 * elements(parameters),
})
