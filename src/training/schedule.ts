/**
 * The learning rate of ALBERT: linear warm-up from 0, then polynomial decay of power 1, both counted from step 0,
 *
 *   lr(t) = peak t / warmup  for t < warmup,   peak (1 - t / total)  for warmup <= t < total,   0 after,
 *
 * so that at the end of the warm-up the rate steps onto the line of the decay. t counts from 0.
 * Source: google-research/albert, optimization.py.
 */
import { UsageError } from '../error.js'

export interface Schedule {
  /** The rate that warm-up goes towards. */
  readonly peak: number
  /** Steps of warm-up, from 0. */
  readonly warmup: number
  /** Steps until the rate is 0. */
  readonly total: number
}

/** Returns the schedule, or throws a UsageError that names the number which cannot be. */
export function checkSchedule(schedule: Schedule): Schedule {
  const { peak, warmup, total } = schedule
  if (!(peak > 0 && Number.isFinite(peak)))
    throw new UsageError(`learning rate is ${peak} (want a positive number)`)
  if (!(Number.isInteger(total) && total > 0))
    throw new UsageError(`total steps are ${total} (want a whole number of 1 or more)`)
  if (!(Number.isInteger(warmup) && warmup >= 0 && warmup < total))
    throw new UsageError(`warm-up is ${warmup} steps (want a whole number below the ${total} steps in all)`)
  return schedule
}

/** The rate of the update that follows `step` completed ones. */
export function learningRate({ peak, warmup, total }: Schedule, step: number): number {
  if (step < warmup) return (peak * step) / warmup
  return peak * Math.max(0, 1 - step / total)
}
