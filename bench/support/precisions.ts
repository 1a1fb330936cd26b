/** The precisions in which labelling runs on the CPU: what the benches of inference race. */
export const INFERENCE_PRECISIONS = ['f32', 'bf16', 'int8'] as const
