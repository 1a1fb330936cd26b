/** An update of the parameters of ALBERT base: what the benches of the optimizers share. */
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import type { OptimizerAttrs } from '../../src/ops/lamb.js'
import type { Op } from '../../src/ops/op.js'
import { steps } from '../shapes.js'
import { benchOp } from './op.js'
import { updateCase } from './update_inputs.js'

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

/** One update by `op`; with `ratio` the oracle has LAMB's trust ratio. */
export function benchUpdate(op: Op<OptimizerAttrs>, ratio: boolean): Promise<void> {
  return benchOp('base', op, updateCase(baseParameters(), ratio))
}
