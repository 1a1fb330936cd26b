/** Precisions, the most exact first. */
export const PRECISIONS = ['f32', 'bf16', 'int8'] as const
export type Precision = (typeof PRECISIONS)[number]
export type TrainingPrecision = Exclude<Precision, 'int8'>

/** Those of contestants, the most exact first: what benches of WebGPU race is also f16. */
export const RACED_PRECISIONS = ['f32', 'f16', 'bf16', 'int8'] as const
export type RacedPrecision = (typeof RACED_PRECISIONS)[number]

/** Those in which labelling runs on the CPU: what the benches of inference race. */
export const INFERENCE_PRECISIONS = PRECISIONS

/** Those that this run races (--precision), with commas between; empty for all. */
export const racedPrecisions = process.env.BIOALBERT_BENCH_PRECISIONS ?? ''

/** Whether this run races what computes in a precision. */
export function races(precision: RacedPrecision): boolean {
  return racedPrecisions === '' || racedPrecisions.split(',').includes(precision)
}
