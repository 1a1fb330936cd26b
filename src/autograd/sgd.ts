/** Plain gradient descent on all parameters of a capture, for small models: p -= rate g, then g = 0. */
import { accumulate } from '../ops/accumulate.js'
import { fill } from '../ops/fill.js'
import { scale } from '../ops/scale.js'
import type { Capture } from './tensor.js'

/**
 * Appends the update to a capture whose backward pass is there. The rate is the run-time scalar `learning_rate`.
 * Parameters that are not trainable have no gradient and stay.
 */
export function sgd({ graph, parameters }: Capture): void {
  const shape = [parameters.arenaElements]
  const p = graph.state('parameters', 'parameters', 0, { shape, dtype: 'f32' }, false)
  const g = graph.state('gradients', 'gradients', 0, { shape, dtype: 'f32' }, false)
  const [change] = graph.emit(scale, [g], { by: -1, scalar: 'learning_rate' })
  graph.emit(accumulate, [change, p], {})
  graph.call(fill, fill.forward, { y: g }, { shape, value: 0 })
}
