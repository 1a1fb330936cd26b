/** How long what is left will take, from what has ended or from the floor. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { estimates } from '../../src/evaluation/estimate.js'
import { planRuns } from '../../src/evaluation/plan.js'
import type { RunRecord } from '../../src/evaluation/record.js'
import { toyModel, toySet } from '../support/toy_evaluation.js'

const test = suite('evaluation: estimates')

const examined = { steps: 10, trainTokens: 1000, predictTokens: 300, operations: 4e9, bytes: 5 }

function ended(set: string, model: string, seconds: number, rate: number): RunRecord {
  const scores = { dev: {}, test: {}, best_step: 1, steps: 1, collapsed: null }
  return { set, model, seed: 1, dir: '', seconds, tokens_per_second: rate, ...scores }
}

function estimate(before: readonly RunRecord[], gflops?: number) {
  const left = planRuns([toySet('MedNLI')], [toyModel('one')], [1, 2, 3], 1)
  let looks = 0
  const [only, ...others] = estimates(
    left,
    before,
    () => {
      looks++
      return examined
    },
    gflops,
  )
  assert.equal([looks, others.length, only.runs], [1, 0, 3])
  return [only.by, only.seconds]
}

test('runs of the same model and set come first: three more at their mean', () => {
  const before = [ended('MedNLI', 'one', 4, 1), ended('MedNLI', 'one', 8, 1), ended('HoC', 'one', 99, 1)]
  assert.equal(estimate(before, 1), ['runs of the same', 18])
})

test('then the model’s pieces a second on other sets; prediction is a third of the work', () => {
  assert.equal(estimate([ended('HoC', 'one', 99, 110), ended('HoC', 'two', 99, 1)]), [
    'tokens/s on other sets',
    30,
  ])
})

test('then the floor, and without a measured peak nothing', () => {
  assert.equal(estimate([], 2), ['floor', 6])
  assert.equal(estimate([ended('MedNLI', 'two', 1, 1)]), ['unknown', null])
})

test.run()
