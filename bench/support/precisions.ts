/** Precisions, the most exact first. */
export const PRECISIONS = ['f32', 'bf16', 'int8'] as const
export type Precision = (typeof PRECISIONS)[number]

/** Those in which labelling runs on the CPU: what the benches of inference race. */
export const INFERENCE_PRECISIONS = PRECISIONS

const wanted = process.env.BIOALBERT_BENCH_PRECISIONS ?? ''

/** Whether this run races what computes in a precision (--precision). */
export function races(precision: Precision): boolean {
  return wanted === '' || wanted.split(',').includes(precision)
}
