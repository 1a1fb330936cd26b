/** Means, deviations, intervals and differences against sums by hand. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelRecord, SetRecord } from '../../src/evaluation/record.js'
import { type ScoredRun, Summariser, type SummarySet } from '../../src/evaluation/summary.js'
import type { Tally } from '../../src/tasks/task.js'
import { accuracyOf } from '../support/toy_evaluation.js'

const test = suite('evaluation: summary')

const set: SummarySet = {
  ...{ name: 'MedNLI', task: 'inference', metric: 'accuracy', unit: 'pairs' },
  ...{ train: 8, dev: 2, test: 4 },
}
const models: ModelRecord[] = ['a', 'b'].map((name) => ({ name, dir: name, parameters: 1 }))

/** Units that are right (1) or not (0). */
function answers(text: string): Tally[] {
  return [...text].map((letter) => [Number(letter), 1])
}

function run(model: string, seed: number, units: readonly Tally[], more: Partial<ScoredRun> = {}): ScoredRun {
  const scores = { accuracy: accuracyOf(units), other: { deep: seed }, words: 7, name: 'x' }
  return {
    ...{ set: 'MedNLI', model, seed, dir: `${model}-${seed}-${more.fold}`, dev: scores, test: scores },
    ...{ seconds: 1, tokens_per_second: 1, best_step: 1, steps: 1, collapsed: null, units },
    ...more,
  }
}

function summarise(runs: readonly ScoredRun[], sets: readonly SummarySet[] = [set], samples = 400) {
  const rateOf = () => (sum: Tally) => sum[0] / sum[1]
  return new Summariser({ rateOf, seed: 1, samples }).summarise(models, sets, runs)
}

function near(actual: number | null | undefined, expected: number, tolerance = 1e-12): void {
  assert.ok(
    typeof actual === 'number' && Math.abs(actual - expected) <= tolerance,
    `${actual} is not ${expected}`,
  )
}

test('mean and sample standard deviation over seeds are those worked out by hand', () => {
  const { scores } = summarise([
    run('a', 1, answers('1110')),
    run('a', 2, answers('1000')),
    run('a', 3, answers('1100')),
  ])
  assert.equal(scores[0].values, [0.75, 0.25, 0.5])
  assert.equal(scores[0].seeds, [1, 2, 3])
  near(scores[0].mean, 0.5)
  // ((0.25)^2 + (0.25)^2 + 0) / 2 = 0.0625
  near(scores[0].sd, 0.25)
  assert.is(scores[0].units, 4)
})

test('one seed has no deviation, and still an interval', () => {
  const { scores } = summarise([run('a', 1, answers('1100110011'))])
  assert.is(scores[0].sd, null)
  assert.ok(scores[0].interval !== null && scores[0].interval[0] < 0.6 && scores[0].interval[1] > 0.6)
})

test('an interval is about as wide as the binomial law says', () => {
  const units = Array.from({ length: 400 }, (_, i): Tally => [i % 4 === 0 ? 0 : 1, 1])
  const { scores } = summarise([run('a', 1, units)], [set], 2000)
  // 0.75 +- 1.96 sqrt(0.75 0.25 / 400)
  const half = 1.96 * Math.sqrt((0.75 * 0.25) / 400)
  near(scores[0].interval?.[0], 0.75 - half, 0.006)
  near(scores[0].interval?.[1], 0.75 + half, 0.006)
})

test('the other scores are averaged by their paths, and what is no number is left out', () => {
  const { scores } = summarise([run('a', 1, answers('11')), run('a', 2, answers('10'))])
  assert.equal(scores[0].others, { accuracy: 0.75, 'other.deep': 1.5, words: 7 })
})

test('a difference is of the means, later model minus earlier, and paired: the same answers differ by nothing', () => {
  const units = answers('1101001110')
  const same = summarise([run('a', 1, units), run('b', 1, units), run('b', 2, units)])
  assert.equal(same.differences, [
    { set: 'MedNLI', metric: 'accuracy', a: 'b', b: 'a', mean: 0, interval: [0, 0] },
  ])
  const better = summarise([run('a', 1, answers('1100')), run('b', 1, answers('1110'))])
  near(better.differences[0].mean, 0.25)
  // b is right wherever a is: no resample says otherwise
  assert.ok((better.differences[0].interval?.[0] ?? -1) >= 0)
})

test('folds are averaged within a seed, and their units are resampled together', () => {
  const folded = { ...set, folds: 2 }
  const { scores } = summarise(
    [
      run('a', 1, answers('1111'), { fold: 1 }),
      run('a', 1, answers('00'), { fold: 2 }),
      run('a', 2, answers('1100'), { fold: 1 }),
      run('a', 2, answers('10'), { fold: 2 }),
    ],
    [folded],
  )
  assert.equal(scores[0].values, [0.5, 0.5])
  assert.equal(scores[0].folds, [1, 2])
  assert.is(scores[0].units, 6)
  near(scores[0].sd, 0)
})

test('a seed in the midst of its folds is in no score', () => {
  const { scores } = summarise([
    run('a', 1, answers('11'), { fold: 1 }),
    run('a', 1, answers('10'), { fold: 2 }),
    run('a', 2, answers('00'), { fold: 1 }),
  ])
  assert.equal(scores[0].seeds, [1])
  assert.equal(scores[0].values, [0.75])
})

test('where each seed holds out its own test part nothing is paired across seeds', () => {
  const runs = [
    run('a', 1, answers('1111')),
    run('a', 2, answers('0000')),
    run('b', 1, answers('1111')),
    run('b', 3, answers('1100')),
  ]
  const { scores, differences } = summarise(runs, [{ ...set, heldOut: true }])
  assert.is(scores[0].units, 8)
  // seed 1 alone is common to both
  assert.equal(differences[0].mean, 0)
  assert.equal(differences[0].interval, [0, 0])
  const lengths = summarise([run('a', 1, answers('11')), run('a', 2, answers('100'))])
  assert.is(lengths.scores[0].units, 5)
})

test('a score that does not exist is null among the values and in no mean', () => {
  const nothing = run('a', 2, answers('1111'), { test: { accuracy: null } })
  const { scores } = summarise([run('a', 1, answers('1100')), nothing])
  assert.equal(scores[0].values, [0.5, null])
  assert.is(scores[0].mean, 0.5)
  assert.is(scores[0].sd, null)
  const none = summarise([nothing]).scores[0]
  assert.is(none.mean, null)
  assert.is(none.interval, null)
})

test('means by task are over sets, without a set’s variant', () => {
  const of = (name: string, extra: Partial<SetRecord & SummarySet> = {}) => ({ ...set, name, ...extra })
  const sets = [
    of('ChemProt', { task: 'relations' }),
    of('ChemProt-13', { task: 'relations', variantOf: 'ChemProt' }),
    of('GAD', { task: 'relations' }),
    of('MedNLI'),
  ]
  const { averages } = summarise(
    [
      run('a', 1, answers('1000'), { set: 'ChemProt', dir: '1' }),
      run('a', 1, answers('1111'), { set: 'ChemProt-13', dir: '2' }),
      run('a', 1, answers('1110'), { set: 'GAD', dir: '3' }),
      run('a', 1, answers('1100'), { dir: '4' }),
    ],
    sets,
  )
  assert.equal(averages[0].tasks, { relations: 0.5, inference: 0.5 })
  assert.equal(averages[0].sets, { relations: ['ChemProt', 'GAD'], inference: ['MedNLI'] })
  assert.equal(averages[1].tasks, {})
  assert.is(averages[0].blurb, null)
})

test('a set without a new run is not computed twice, one with a new run is', () => {
  let asked = 0
  const rateOf = () => {
    asked++
    return (sum: Tally) => sum[0] / sum[1]
  }
  const summariser = new Summariser({ rateOf, seed: 1, samples: 10 })
  const runs = [run('a', 1, answers('10'))]
  const before = summariser.summarise(models, [set], runs)
  assert.equal(summariser.summarise(models, [set], runs).scores, before.scores)
  assert.is(asked, 1)
  const after = summariser.summarise(models, [set], [...runs, run('a', 2, answers('11'))])
  assert.is(asked, 2)
  assert.equal(after.scores[0].values, [0.5, 1])
})

test.run()
