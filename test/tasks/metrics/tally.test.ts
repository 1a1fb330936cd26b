/** Sums of tallies give the scores that src/tasks/metrics gives for the same units, which golden files check. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  classTally,
  f1OfTally,
  macroF1OfTally,
  macroTally,
  pearsonOfTally,
  pearsonTally,
  ratioOfTally,
} from '../../../src/tasks/metrics/tally.js'
import type { Tally } from '../../../src/tasks/task.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('tallies')

const add = (tallies: Tally[]) => tallies[0].map((_, c) => tallies.reduce((sum, tally) => sum + tally[c], 0))

test('rates are those of the sums, 0 where their divisor is', () => {
  assert.is(ratioOfTally([3, 4]), 0.75)
  assert.is(f1OfTally([2, 3, 5]), 0.5)
  assert.is(macroF1OfTally([1, 1, 1, 0, 2, 0, 1, 2, 2]), (1 + 0 + 0.5) / 3)
  assert.equal(
    [ratioOfTally([0, 0]), f1OfTally([0, 0, 0]), macroF1OfTally([]), macroF1OfTally([0, 0, 0])],
    [0, 0, 0, 0],
  )
})

test('tallies of random classes add up to the golden micro and macro F1', () => {
  interface Case {
    gold: number[]
    predicted: number[]
    k: number
    negative: number[]
    macroF1: number
    micro: number[]
  }
  for (const { gold, predicted, k, negative, macroF1, micro } of metricsGolden<Case>('classes')) {
    const found = [
      f1OfTally(add(gold.map((g, i) => classTally(g, predicted[i], negative)))),
      macroF1OfTally(add(gold.map((g, i) => macroTally(g, predicted[i], k)))),
    ]
    allclose(found, [micro[2], macroF1], { rtol: 1e-12, atol: 0 })
  }
})

test('tallies of random pairs add up to the golden Pearson, null where that is', () => {
  const cases = metricsGolden<{ x: number[]; y: number[]; pearson: number | null }>('correlations')
  // Sums of squares hold no more digits than they hold: huge, tiny and far-off numbers are for correlation.ts.
  const ordinary = cases.filter(({ x }) => x.length > 0 && x.every((v) => v === 0 || (v > 1e-9 && v < 1e3)))
  assert.ok(ordinary.length > 50)
  for (const { x, y, pearson } of ordinary) {
    for (const centre of [[0, 0] as const, [2.5, 3] as const]) {
      const found = pearsonOfTally(add(x.map((value, i) => pearsonTally(value, y[i], centre))))
      if (found === null || pearson === null) assert.is(found, pearson, `${x} and ${y}`)
      else allclose([found], [pearson], { rtol: 1e-9, atol: 1e-9 })
    }
  }
})

test('a constant is a constant however its sums are rounded', () => {
  for (const value of [0.1, 1 / 3, 1e-7, 123.456, -2.2]) {
    for (const n of [2, 3, 10, 1000]) {
      const pairs = Array.from({ length: n }, (_, i) => pearsonTally(value, Math.sin(i)))
      assert.is(pearsonOfTally(add(pairs)), null)
    }
  }
})

test('a centre keeps the digits of numbers far from 0', () => {
  const x = [1, 2, 3, 4].map((v) => 1e9 + v)
  const y = [1, 3, 2, 4]
  const found = pearsonOfTally(add(x.map((value, i) => pearsonTally(value, y[i], [1e9, 0]))))
  allclose([found ?? Number.NaN], [0.8], { rtol: 1e-12 })
})

test.run()
