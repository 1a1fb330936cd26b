/** Golden scores: test/golden/metrics.py (the definitions of BioASQ's program; scikit-learn where every question is answered). */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { scoreFactoids, scoreYesNo, type YesNo } from '../../../src/tasks/metrics/bioasq.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('BioASQ metrics')

interface FactoidCase {
  gold: string[][]
  ranked: string[][]
  strict: number
  lenient: number
  mrr: number
}
interface YesNoCase {
  gold: YesNo[]
  predicted: (YesNo | null)[]
  accuracy: number
  yesF1: number
  noF1: number
  macroF1: number
}

test('random ranked answers agree with the definitions', () => {
  for (const want of metricsGolden<FactoidCase>('factoids')) {
    const scores = scoreFactoids(want.gold, want.ranked)
    allclose(
      [scores.strictAccuracy, scores.lenientAccuracy, scores.meanReciprocalRank],
      [want.strict, want.lenient, want.mrr],
      { rtol: 1e-12, atol: 1e-15 },
    )
  }
})

test('any synonym matches in any case, and nothing else is forgiven', () => {
  const scores = scoreFactoids([['p53', 'TP53']], [['the p53', 'p53.', 'tp53']])
  assert.equal(scores, { questions: 1, strictAccuracy: 0, lenientAccuracy: 1, meanReciprocalRank: 1 / 3 })
  assert.is(scoreFactoids([['α-Synuclein']], [['Α-SYNUCLEIN']]).strictAccuracy, 1)
})

test('a sixth answer is not looked at, and no answer is wrong', () => {
  const scores = scoreFactoids([['x'], ['x']], [['1', '2', '3', '4', '5', 'x'], []])
  assert.equal([scores.strictAccuracy, scores.lenientAccuracy, scores.meanReciprocalRank], [0, 0, 0])
  assert.is(scoreFactoids([['x']], [['1', '2', '3', '4', 'X']]).meanReciprocalRank, 1 / 5)
})

test('random yes and no agree with scikit-learn, and unanswered ones with the definition', () => {
  for (const want of metricsGolden<YesNoCase>('yesNo')) {
    const { accuracy, yesF1, noF1, macroF1 } = scoreYesNo(want.gold, want.predicted)
    allclose([accuracy, yesF1, noF1, macroF1], [want.accuracy, want.yesF1, want.noF1, want.macroF1], {
      rtol: 1e-12,
    })
  }
})

test('all yes on questions that are mostly yes is accurate and has half the macro F1', () => {
  const scores = scoreYesNo(['yes', 'yes', 'yes', 'no'], ['yes', 'yes', 'yes', 'yes'])
  assert.equal([scores.accuracy, scores.noF1, scores.macroF1], [0.75, 0, 3 / 7])
})

test('no question scores 0, other lengths are refused', () => {
  assert.is(scoreFactoids([], []).meanReciprocalRank, 0)
  assert.equal([scoreYesNo([], []).accuracy, scoreYesNo([], []).macroF1], [0, 0])
  assert.throws(() => scoreFactoids([['x']], []), /0 answers, want 1/)
  assert.throws(() => scoreYesNo(['yes'], []), /0 answers, want 1/)
})

test.run()
