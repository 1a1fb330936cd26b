/**
 * LAMB and AdamW as the end of a captured step: the gradients gathered since the last update are clipped to a global
 * norm, moments and parameters change in place, and the gradients are cleared.
 */
import { type Capture, Tensor } from '../autograd/tensor.js'
import type { StateArena } from '../graph/graph.js'
import { type SegmentTables, segmentTables } from '../graph/segments.js'
import { adamw } from '../ops/adamw.js'
import { globalNorm } from '../ops/global_norm.js'
import { lamb } from '../ops/lamb.js'
import { f32, i32 } from '../ops/shape.js'
import { GRADIENT_SCALE, GRADIENT_UNSCALE } from './loss_scale.js'

export interface OptimizerSettings {
  readonly name: 'lamb' | 'adamw'
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
  readonly weightDecay: number
  /** Largest global norm of the gradients; 0: no clipping. */
  readonly clip: number
  /** Divide the moments by 1 - beta^t (You et al. 2020); the original ALBERT does not. */
  readonly biasCorrection: boolean
}

/** The settings of ALBERT and BioALBERT. */
export const DEFAULT_OPTIMIZER: OptimizerSettings = {
  name: 'lamb',
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-6,
  weightDecay: 0.01,
  clip: 1,
  biasCorrection: false,
}

/**
 * Appends the backward pass of a loss. `scaled`: its gradients are multiplied by the run-time scalar `gradient_scale`
 * (loss_scale.ts), and every update of these gradients has to be scaled too.
 */
export function appendBackward(capture: Capture, loss: Tensor, scaled = false): void {
  capture.backward(loss, scaled ? GRADIENT_SCALE : 1)
}

/**
 * Appends the update. Further inputs: optimizer_table, optimizer_segments (`optimizerInputs` makes them); run-time
 * scalars: lr, correction1, correction2 (`corrections`). Output: grad_norm [1], before clipping. Where that norm is
 * not finite, parameters and moments stay as they are. `scaled`: gradients are those of a loss that was multiplied, and
 * are multiplied by the run-time scalar `gradient_unscale` first, of which the norm knows.
 */
export function appendUpdate(capture: Capture, settings: OptimizerSettings, scaled = false): void {
  const tables = segmentTables(capture.parameters)
  const { graph } = capture
  const n = capture.parameters.arenaElements
  const arena = (name: StateArena) => new Tensor(capture, graph.state(name, name, 0, f32(n), false))
  capture.named('optimizer', () => {
    const table = new Tensor(capture, graph.input('optimizer_table', i32(tables.chunkCount, 3)))
    const segments = new Tensor(capture, graph.input('optimizer_segments', i32(tables.segmentCount, 2)))
    const gradients = arena('gradients')
    const unscale = scaled ? { unscale: GRADIENT_UNSCALE } : {}
    const [norm] = capture.apply(globalNorm, [gradients, table], unscale)
    const op = settings.name === 'lamb' ? lamb : adamw
    capture.apply(
      op,
      [arena('parameters'), gradients, arena('moment1'), arena('moment2'), table, segments, norm],
      {
        beta1: settings.beta1,
        beta2: settings.beta2,
        eps: settings.eps,
        decay: settings.weightDecay,
        clip: settings.clip,
        ...unscale,
      },
    )
    capture.output('grad_norm', norm)
  })
}

/** The inputs of `appendUpdate`. */
export function optimizerInputs(parameters: Capture['parameters']): Record<string, Int32Array> {
  const { table, segments }: SegmentTables = segmentTables(parameters)
  return { optimizer_table: table, optimizer_segments: segments }
}

/**
 * What the moments are divided by at update t (from 1; steps that were left out are none): 1 - beta^t, or 1 without bias
 * correction.
 */
export function corrections(
  settings: OptimizerSettings,
  t: number,
): { correction1: number; correction2: number } {
  if (!settings.biasCorrection) return { correction1: 1, correction2: 1 }
  return { correction1: 1 - settings.beta1 ** t, correction2: 1 - settings.beta2 ** t }
}
