/** The precisions in which labelling runs on the CPU: what the benches of inference race. */
import type { FloatType } from '../../src/ops/shape.js'

export const INFERENCE_PRECISIONS: readonly FloatType[] = ['f32', 'bf16']
