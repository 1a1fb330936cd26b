/**
 * Intervals against numpy's (test/golden/metrics.py: other draws, so agreement within the error of so many resamples), and to
 * the last digits against a plain loop over the same draws.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Philox } from '../../../src/data/random.js'
import {
  bootstrapDifference,
  bootstrapInterval,
  quantile,
  type Rate,
} from '../../../src/tasks/metrics/bootstrap.js'
import { f1OfTally, pearsonOfTally, pearsonTally, ratioOfTally } from '../../../src/tasks/metrics/tally.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('bootstrap intervals')

interface BootstrapCase {
  rate: 'ratio' | 'f1' | 'pearson'
  a: number[][][]
  b: number[][][]
  interval: [low: number, high: number, deviation: number]
  difference: [low: number, high: number, deviation: number]
}

const rates: Record<BootstrapCase['rate'], Rate> = {
  ratio: ratioOfTally,
  f1: f1OfTally,
  pearson: pearsonOfTally,
}

test('scores and paired differences, one seed and three, have the intervals that numpy finds', () => {
  for (const want of metricsGolden<BootstrapCase>('bootstrap')) {
    const options = { seed: 3, samples: 4000 }
    const found = bootstrapInterval(want.a, rates[want.rate], options)
    const difference = bootstrapDifference(want.a, want.b, rates[want.rate], options)
    for (const [{ interval }, [low, high, deviation]] of [
      [found, want.interval],
      [difference, want.difference],
    ] as const) {
      // A quantile at 2.5% of 4000 resamples is off by a standard error of 0.042 deviations, or by one step of a ratio.
      const step = want.rate === 'ratio' ? 0.6 / want.a[0].length / want.a.length : 0
      allclose(interval ?? [], [low, high], { rtol: 0, atol: 0.16 * deviation + step, name: want.rate })
    }
  }
})

test('a plain loop over the same draws gives the same interval', () => {
  const random = new Philox(8)
  const unit = () => {
    const gold = random.integer(4)
    return [random.integer(gold + 1), gold + random.integer(3), gold]
  }
  const tallies = [0, 1].map(() => Array.from({ length: 23 }, unit))
  const scores = Array.from({ length: 101 }, (_, sample) => {
    const draws = new Philox(5, 0xb007, sample)
    const drawn = Array.from({ length: 23 }, () => Math.floor(draws.uniform() * 23))
    const f1s = tallies.map((units) => {
      const sum = (c: number) => drawn.map((u) => units[u][c]).reduce((a, b) => a + b)
      return (2 * sum(0)) / (sum(1) + sum(2))
    })
    return (f1s[0] + f1s[1]) / 2
  }).sort((a, b) => a - b)
  // 101 resamples at level 0.9: the quantiles are the 6th and the 96th exactly.
  const { interval, leftOut } = bootstrapInterval(tallies, f1OfTally, { seed: 5, samples: 101, level: 0.9 })
  allclose(interval ?? [], [scores[5], scores[95]], { rtol: 1e-12, atol: 0 })
  assert.is(leftOut, 0)
})

test('the score is the mean over seeds of the rate of all units', () => {
  const right = (n: number) => Array.from({ length: 10 }, (_, u) => [u < n ? 1 : 0, 1])
  const { score } = bootstrapInterval([right(4), right(7)], ratioOfTally, { seed: 1 })
  allclose([score ?? Number.NaN], [0.55], { rtol: 1e-12 })
  const difference = bootstrapDifference([right(9)], [right(4), right(7)], ratioOfTally, { seed: 1 })
  allclose([difference.score ?? Number.NaN], [0.35], { rtol: 1e-12 })
})

test('the same seed gives the same interval, another seed another', () => {
  const tallies = [Array.from({ length: 60 }, (_, u) => pearsonTally(u % 7, (u * u) % 11))]
  const of = (seed: number) => bootstrapInterval(tallies, pearsonOfTally, { seed })
  assert.equal(of(4), of(4))
  assert.not.equal(of(4), of(5))
})

test('a model differs from itself by nothing, as both are scored on the same resamples', () => {
  const tallies = [Array.from({ length: 40 }, (_, u) => [u % 3 === 0 ? 1 : 0, 1])]
  assert.equal(bootstrapDifference(tallies, tallies, ratioOfTally, { seed: 1 }), {
    score: 0,
    interval: [0, 0],
    leftOut: 0,
  })
})

test('resamples on which a correlation does not exist are left out and counted', () => {
  const two = [[pearsonTally(1, 2), pearsonTally(2, 3)]]
  const { score, interval, leftOut } = bootstrapInterval(two, pearsonOfTally, { seed: 1 })
  allclose([score ?? 0, ...(interval ?? [])], [1, 1, 1], { rtol: 1e-12 })
  // Half of the draws of two units from two are the same unit twice: 500 of 1000, with a deviation of 16.
  assert.ok(leftOut > 420 && leftOut < 580, `${leftOut}`)
})

test('a rate that never exists has no interval, and neither have no units', () => {
  const constant = [[pearsonTally(1, 2), pearsonTally(1, 3)]]
  assert.equal(bootstrapInterval(constant, pearsonOfTally, { seed: 1, samples: 50 }), {
    score: null,
    interval: null,
    leftOut: 50,
  })
  assert.is(bootstrapInterval([[]], () => Number.NaN, { seed: 1 }).interval, null)
})

test('quantiles lie linearly between neighbours', () => {
  assert.is(quantile([1, 2, 4], 0.75), 3)
  assert.equal([quantile([1, 2, 4], 0), quantile([1, 2, 4], 1), quantile([7], 0.3)], [1, 4, 7])
})

test('seeds and models with other units, and tallies of other lengths, are refused', () => {
  const options = { seed: 1 }
  assert.throws(() => bootstrapInterval([], ratioOfTally, options), /tallies has no seed/)
  assert.throws(() => bootstrapInterval([[[1, 1]], []], ratioOfTally, options), /0 units for seed 1, want 1/)
  assert.throws(
    () => bootstrapInterval([[[1, 1], [1]]], ratioOfTally, options),
    /a tally of 1 for unit 1, want 2/,
  )
  assert.throws(
    () =>
      bootstrapDifference(
        [[[1, 1]]],
        [
          [
            [1, 1],
            [0, 1],
          ],
        ],
        ratioOfTally,
        options,
      ),
    /a has 1 units and b 2/,
  )
})

test.run()
