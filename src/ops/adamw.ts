/**
 * One AdamW step on whole arenas, in place (Loshchilov and Hutter 2019): LAMB without its trust ratio,
 *
 *   p -= lr ((m / correction1) / (sqrt(v / correction2) + eps) + decay p)
 *
 * with moments, clipping, flags, tables and run-time scalars as lamb.ts describes. The original BERT and ALBERT run
 * it with correction1 = correction2 = 1, PyTorch with 1 - beta^t.
 */
import { kernel } from '../device/kernel.js'
import { checkOptimizer, OPTIMIZER_INPUTS, type OptimizerAttrs, optimizerParams } from './lamb.js'
import { defineOp } from './op.js'
import { elements } from './shape.js'

export const adamw = defineOp<OptimizerAttrs>({
  name: 'adamw',
  inputs: OPTIMIZER_INPUTS,
  outputs: [],
  infer: (inputs, attrs) => checkOptimizer('adamw', inputs, attrs),
  params: optimizerParams,
  forward: kernel(
    'adamw_forward',
    {
      parameters: 'accumulate',
      gradients: 'accumulate',
      moment1: 'accumulate',
      moment2: 'accumulate',
      table: 'read',
      segments: 'read',
      norm: 'read',
    },
    {
      chunk_count: 'u32',
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
  flops: ({ parameters }) => 15 * elements(parameters),
})
