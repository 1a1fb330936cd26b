/**
 * What the times of runtime_bench.ts mean: days for the papers' schedules on this machine, beside the papers' own
 * figures, and what sharing the block saves.
 */
import type { BenchModel, BenchResult, BenchSize } from './runtime_bench.js'

/** Steps of pretraining on PubMed, and on PubMed + PMC in all (Naseem et al. 2020 and 2022). */
export const SCHEDULES = [
  { corpus: 'PubMed', steps: 200_000 },
  { corpus: 'PubMed + PMC', steps: 470_000 },
] as const

/** Sequences of a step, of 512 tokens each (the same papers; the small sizes are as base). */
const BATCH: Readonly<Record<BenchSize, number>> = { nano: 1024, mini: 1024, base: 1024, large: 256 }
const PAPER_LENGTH = 512

export const QUOTED_SOURCE = 'Naseem et al. 2022, table 8, on their machines'
const QUOTED: Readonly<Partial<Record<BenchModel, readonly [string, string]>>> = {
  'bioalbert-base': ['less than 5', 'less than 5'],
  'bioalbert-large': ['less than 5', 'less than 5'],
  'biobert-base': ['10', '23'],
}

export interface ScheduleDays {
  readonly corpus: string
  readonly steps: number
  readonly batch: number
  readonly length: number
  /** On this machine, estimated from the measured step. */
  readonly days: number
  /** What the paper says, in days; undefined where it says nothing. */
  readonly quoted?: string
}

/**
 * Days for each schedule at the measured speed. A step of the schedule is as many micro-batches of the measured size as
 * its tokens need, and one update. `rows`: tokens of the measured step.
 */
export function scheduleDays({ model, size, step, split }: BenchResult, rows: number): ScheduleDays[] {
  const microBatches = (BATCH[size] * PAPER_LENGTH) / rows
  const seconds = microBatches * Math.max(0, step - split.optimizer) + split.optimizer
  return SCHEDULES.map(({ corpus, steps }, i) => ({
    corpus,
    steps,
    batch: BATCH[size],
    length: PAPER_LENGTH,
    days: (steps * seconds) / 86_400,
    quoted: QUOTED[model]?.[i],
  }))
}

/** Bytes of the weights in a file, and of a checkpoint of training: weights and both moments. */
export function fileBytes({ parameters }: BenchResult): { weights: number; checkpoint: number } {
  return { weights: 4 * parameters, checkpoint: 12 * parameters }
}

/** BioBERT's figures over BioALBERT's of the same size. */
export interface Sharing {
  readonly size: BenchSize
  readonly parameters: number
  readonly checkpointBytes: number
  readonly gradientBytes: number
  readonly optimizerBytes: number
  readonly optimizerSeconds: number
  readonly activationBytes: number
  readonly multiplyAdds: number
  readonly stepSeconds: number
}

/** The ratios for every size of which both models are there. */
export function sharing(results: readonly BenchResult[]): Sharing[] {
  return results.flatMap((bert) => {
    const albert = results.find((r) => r.family === 'bioalbert' && r.size === bert.size)
    if (bert.family !== 'biobert' || !albert) return []
    const ratio = (of: (result: BenchResult) => number) => of(bert) / of(albert)
    return [
      {
        size: bert.size,
        parameters: ratio((r) => r.parameters),
        checkpointBytes: ratio((r) => fileBytes(r).checkpoint),
        gradientBytes: ratio((r) => r.memory.gradientBytes),
        optimizerBytes: ratio((r) => r.memory.optimizerBytes),
        optimizerSeconds: ratio((r) => r.split.optimizer),
        activationBytes: ratio((r) => r.memory.activationBytes),
        multiplyAdds: ratio((r) => r.multiplyAdds),
        stepSeconds: ratio((r) => r.step),
      },
    ]
  })
}
