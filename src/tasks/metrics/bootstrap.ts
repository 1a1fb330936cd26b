/**
 * How far a score is to be trusted: percentile intervals of the bootstrap over units. A resample draws as many units as there
 * are, with replacement; its score is the rate of the sum of their tallies, and where a model was trained with several seeds the
 * mean of the seeds' rates on that same resample, so that the interval is about the test set and not about one seed. The interval
 * runs between the quantiles (1 - level) / 2 and (1 + level) / 2 of the resamples' scores, linear between neighbours.
 *
 *   tallies [seeds][units][C] -> score of resample r: mean_s rate(sum_u count[r, u] tallies[s, u, :])
 *
 * A difference is paired: both models are scored on the same resamples. A resample on which a rate does not exist (the
 * correlation of a constant) is left out and counted. Same seed, same units, same interval.
 */
import { Philox } from '../../data/random.js'
import type { Tally } from '../task.js'

/** Score of a sum of tallies; null or NaN where it does not exist. */
export type Rate = (sum: Tally) => number | null

export interface BootstrapOptions {
  /** Resamples; 1000 where nothing is said. */
  samples?: number
  seed: number
  /** Share of resamples inside the interval; 0.95 where nothing is said. */
  level?: number
}

export interface BootstrapInterval {
  /** Of all units as they are: mean over seeds; null where a seed's rate does not exist. */
  score: number | null
  /** null where no resample had a score. */
  interval: [low: number, high: number] | null
  /** Resamples that had none. */
  leftOut: number
}

/** Interval of a score. `tallies[s][u]` is unit u under seed s; throws where the seeds' units or the tallies' lengths differ. */
export function bootstrapInterval(
  tallies: readonly (readonly Tally[])[],
  rate: Rate,
  options: BootstrapOptions,
): BootstrapInterval {
  return resample([new SeedTallies('tallies', tallies)], ([score]) => score, rate, options)
}

/** Interval of score(a) - score(b) on the same units; the numbers of seeds may differ. */
export function bootstrapDifference(
  a: readonly (readonly Tally[])[],
  b: readonly (readonly Tally[])[],
  rate: Rate,
  options: BootstrapOptions,
): BootstrapInterval {
  const models = [new SeedTallies('a', a), new SeedTallies('b', b)]
  if (models[0].units !== models[1].units) {
    throw new Error(`bootstrap: a has ${models[0].units} units and b ${models[1].units}, want the same`)
  }
  return resample(models, ([first, second]) => first - second, rate, options)
}

function resample(
  models: readonly SeedTallies[],
  combine: (scores: readonly number[]) => number,
  rate: Rate,
  { samples = 1000, seed, level = 0.95 }: BootstrapOptions,
): BootstrapInterval {
  const { units } = models[0]
  const counts = new Float64Array(units)
  const random = new Philox(seed)
  const score = (): number => {
    const value = combine(models.map((model) => model.score(counts, rate)))
    return Number.isFinite(value) ? value : Number.NaN
  }
  counts.fill(1)
  const whole = score()
  const scores: number[] = []
  for (let sample = 0; sample < samples && units > 0; sample++) {
    random.restart(stream, sample)
    counts.fill(0)
    // Some units are likelier than others by at most units / 2^32, which is nothing here.
    for (let draw = 0; draw < units; draw++) counts[Math.floor(random.uniform() * units)]++
    const value = score()
    if (!Number.isNaN(value)) scores.push(value)
  }
  const sorted = Float64Array.from(scores).sort()
  const tail = (1 - level) / 2
  return {
    score: Number.isNaN(whole) ? null : whole,
    interval: sorted.length === 0 ? null : [quantile(sorted, tail), quantile(sorted, 1 - tail)],
    leftOut: samples - sorted.length,
  }
}

/** Names this use of the generator, so that the same seed elsewhere draws something else. */
const stream = 0xb007

/** A value that the share `q` of the sorted ones lie below: linear between the two nearest (the usual definition, type 7). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}

/** The tallies of one model, side by side by unit: [units][seeds x C]. */
class SeedTallies {
  readonly units: number
  private readonly seeds: number
  private readonly length: number
  private readonly values: Float64Array
  private readonly sum: Float64Array

  constructor(name: string, tallies: readonly (readonly Tally[])[]) {
    this.seeds = tallies.length
    this.units = tallies[0]?.length ?? 0
    this.length = tallies[0]?.[0]?.length ?? 0
    if (this.seeds === 0) throw new Error(`bootstrap: ${name} has no seed`)
    const row = this.seeds * this.length
    this.sum = new Float64Array(row)
    this.values = new Float64Array(this.units * row)
    tallies.forEach((units, s) => {
      if (units.length !== this.units) {
        throw new Error(`bootstrap: ${name} has ${units.length} units for seed ${s}, want ${this.units}`)
      }
      units.forEach((tally, u) => {
        if (tally.length !== this.length) {
          throw new Error(
            `bootstrap: ${name} has a tally of ${tally.length} for unit ${u}, want ${this.length}`,
          )
        }
        this.values.set(tally, u * row + s * this.length)
      })
    })
  }

  /** Mean over seeds of the rate of `counts[u]` times the tallies of unit u; NaN where one does not exist. */
  score(counts: Float64Array, rate: Rate): number {
    const { sum, values } = this
    const row = sum.length
    sum.fill(0)
    for (let u = 0, at = 0; u < counts.length; u++, at += row) {
      const count = counts[u]
      if (count === 0) continue
      for (let c = 0; c < row; c++) sum[c] += count * values[at + c]
    }
    let total = 0
    for (let s = 0; s < this.seeds; s++) {
      total += rate(Array.from(sum.subarray(s * this.length, (s + 1) * this.length))) ?? Number.NaN
    }
    return total / this.seeds
  }
}
