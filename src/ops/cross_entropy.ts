/**
 * Cross-entropy of rows of logits: loss[n] = lse[n] - logits[n,label[n]], lse[n] = log sum_c exp(logits[n,c]).
 * A label below 0 is ignored: loss 0 and no gradient. A label past the last class makes the loss NaN.
 * correct[n] is 1 if the (first) largest logit is that of the label, else 0.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { capacity, elements, f32, param, sameDim } from './shape.js'

export const crossEntropy = defineOp<Record<string, never>>({
  name: 'cross_entropy',
  inputs: ['logits', 'labels'],
  outputs: ['loss', 'lse', 'correct'],
  infer([logits, labels]) {
    if (
      logits.shape.length !== 2 ||
      logits.dtype !== 'f32' ||
      typeof logits.shape[1] !== 'number' ||
      labels.dtype !== 'i32' ||
      labels.shape.length !== 1 ||
      !sameDim(labels.shape[0], logits.shape[0])
    )
      throw shapeError('cross_entropy', { logits, labels }, 'logits f32 [N,C], labels i32 [N]')
    const rows = logits.shape[0]
    return [f32(rows), f32(rows), f32(rows)]
  },
  params: ({ logits }) => ({ rows: param(logits.shape[0]), classes: capacity(logits.shape[1]) }),
  forward: kernel(
    'cross_entropy_forward',
    { logits: 'read', labels: 'read', loss: 'write', lse: 'write', correct: 'write' },
    { rows: 'u32', classes: 'u32' },
  ),
  backward: [
    kernel(
      'cross_entropy_backward',
      { dloss: 'read', logits: 'read', labels: 'read', lse: 'read', dlogits: 'write' },
      { rows: 'u32', classes: 'u32' },
    ),
  ],
  // largest, difference, exponential, sum; backward: difference, exponential, factor
  flops: ({ logits }) => 4 * elements(logits),
  work: (kernel, { logits }) => (kernel === 'cross_entropy_backward' ? { flops: 3 * elements(logits) } : {}),
})
