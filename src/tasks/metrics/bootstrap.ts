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
  const drawn = Uint32Array.from({ length: units }, (_, u) => u)
  const random = new Philox(seed)
  const score = (): number => {
    const value = combine(models.map((model) => model.score(drawn, rate)))
    return Number.isFinite(value) ? value : Number.NaN
  }
  const whole = score()
  const scores: number[] = []
  for (let sample = 0; sample < samples && units > 0; sample++) {
    random.restart(stream, sample)
    // Some units are likelier than others by at most units / 2^32 of their share, which is nothing here.
    for (let i = 0; i < units; i++) drawn[i] = Math.floor(random.uniform() * units)
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

/**
 * The tallies of one model. Most units have the same few ([1, 1], [0, 1]), so a resample is counted by different rows and each
 * row is added once, times its count.
 */
class SeedTallies {
  readonly units: number
  private readonly seeds: number
  private readonly length: number
  /** [units] Which row a unit has. */
  private readonly rowOf: Uint32Array
  /** [seeds x C][rows] */
  private readonly columns: Float64Array
  private readonly counts: Float64Array

  constructor(name: string, tallies: readonly (readonly Tally[])[]) {
    if (tallies.length === 0) throw new Error(`bootstrap: ${name} has no seed`)
    this.seeds = tallies.length
    this.units = tallies[0].length
    this.length = tallies[0][0]?.length ?? 0
    tallies.forEach((units, s) => {
      if (units.length !== this.units) {
        throw new Error(`bootstrap: ${name} has ${units.length} units for seed ${s}, want ${this.units}`)
      }
      const odd = units.findIndex((tally) => tally.length !== this.length)
      if (odd !== -1) {
        throw new Error(
          `bootstrap: ${name} has a tally of ${units[odd].length} for unit ${odd}, want ${this.length}`,
        )
      }
    })
    const known = new Map<string, number>()
    const rows: number[][] = []
    this.rowOf = Uint32Array.from(tallies[0], (_, u) => {
      const row = tallies.flatMap((units) => units[u])
      const key = row.join()
      const index = known.get(key) ?? rows.push(row) - 1
      known.set(key, index)
      return index
    })
    const width = this.seeds * this.length
    this.columns = new Float64Array(width * rows.length)
    rows.forEach((row, r) => {
      for (let c = 0; c < width; c++) this.columns[c * rows.length + r] = row[c]
    })
    this.counts = new Float64Array(rows.length)
  }

  /** Mean over seeds of the rate of the drawn units' sum; NaN where one does not exist. */
  score(drawn: Uint32Array, rate: Rate): number {
    const { counts, rowOf, columns } = this
    counts.fill(0)
    for (let i = 0; i < drawn.length; i++) counts[rowOf[drawn[i]]]++
    const sums = new Array<number>(this.seeds * this.length)
    for (let c = 0; c < sums.length; c++) sums[c] = dot(counts, columns, c * counts.length)
    let total = 0
    for (let s = 0; s < this.seeds; s++) {
      total += rate(sums.slice(s * this.length, (s + 1) * this.length)) ?? Number.NaN
    }
    return total / this.seeds
  }
}

/** sum over i of a[i] b[from + i]. */
function dot(a: Float64Array, b: Float64Array, from: number): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[from + i]
  return sum
}
