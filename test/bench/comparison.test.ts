/** What a comparison with PyTorch says of scores by seed. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type Comparison,
  compareRuns,
  comparisonFile,
  comparisonRows,
  type SeedRuns,
} from '../../bench/support/comparison.js'

const test = suite('comparison of fine-tuning runs')

function seed(number: number, ours: unknown, pytorch: unknown): SeedRuns {
  const side = { best_step: 3, dev: {}, seconds: 10 * number }
  return {
    seed: number,
    ours: { ...side, test: { f1: ours }, tokens_per_second: 300 },
    pytorch: { ...side, test: { f1: pytorch }, tokens_per_second: 100, padding: 0.25, description: {} },
  }
}

test('the difference of means stands in standard deviations of a sample, both sides pooled', () => {
  // sd 0.1 and 0.2 about 0.8 and 0.6
  const found = compareRuns('f1', [seed(1, 0.7, 0.4), seed(2, 0.8, 0.6), seed(3, 0.9, 0.8)])
  const close = (actual: number | null, wanted: number) => assert.ok(Math.abs(actual! - wanted) < 1e-12)
  close(found.ours.mean, 0.8)
  close(found.ours.sd, 0.1)
  close(found.pytorch.mean, 0.6)
  close(found.pytorch.sd, 0.2)
  close(found.difference, 0.2)
  close(found.difference_in_sd, 0.2 / Math.sqrt(0.025))
  close(found.speed!.ratio, 3)
  close(found.seconds!.ours, 20)
})

test('scores of runs that other work disturbed count, their times do not', () => {
  const disturbed = { ...seed(5, 0.6, 0.2), untimed: true } as const
  const found = compareRuns('f1', [seed(1, 0.8, 0.4), disturbed])
  assert.ok(Math.abs(found.ours.mean - 0.7) < 1e-12)
  assert.equal(found.seconds, { ours: 10, pytorch: 10 })
  const none = compareRuns('f1', [disturbed])
  assert.is(none.speed, null)
  assert.is(none.seconds, null)
  const rows = [found, none].map((one) => ({ set: 'S', metric: 'f1', settings: {}, ...one }) as Comparison)
  assert.equal(
    comparisonRows(rows).map((row) => row.slice(11)),
    [
      ['1', '300', '100', '3.00', '25%', '10 s', '10 s'],
      ['0', '', '', '', '25%', '', ''],
    ],
  )
})

test('a single seed has no standard deviation, and seeds that agree have none to divide by', () => {
  const one = compareRuns('f1', [seed(1, 0.7, 0.4)])
  assert.is(one.ours.sd, null)
  assert.is(one.difference_in_sd, null)
  assert.is(compareRuns('f1', [seed(1, 0.5, 0.25), seed(2, 0.5, 0.25)]).difference_in_sd, null)
  const rows = [{ epochs: 3 }, { epochs: 1 }, { totalSteps: 50, scored: 16, precision: 'bf16' }].map(
    (settings) => {
      return { set: 'S', metric: 'f1', settings, ...one } as Partial<Comparison> as Comparison
    },
  )
  rows.push({ ...rows[0], agreement: { steps: 20, loss: 2.4e-7 } })
  const found = comparisonRows(rows).map((row) => row.slice(0, 11))
  const scores = ['f1', '1', '70.00', '40.00', '+30.00', '']
  assert.equal(found, [
    ['S', '3 epochs', 'all', 'f32', '', ...scores],
    ['S', '1 epoch', 'all', 'f32', '', ...scores],
    ['S', '50 steps', 'at most 16', 'bf16', '', ...scores],
    ['S', '3 epochs', 'all', 'f32', '2.4e-7', ...scores],
  ])
})

test('a score that is no number is named', () => {
  assert.throws(
    () => compareRuns('f1', [seed(1, 0.5, 0.5), seed(2, 0.5, null)]),
    /seed 2: f1 of test is null \(want a number\)/,
  )
})

test('a file has the name of its set and the label', () => {
  assert.is(comparisonFile({ name: 'COVID-QA' }, undefined), 'finetune_covid_qa.json')
  assert.is(comparisonFile({ name: 'HoC' }, 'zen4'), 'finetune_hoc.zen4.json')
})

test.run()
