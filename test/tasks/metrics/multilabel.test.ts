/** Golden scores: test/golden/metrics.py (scikit-learn, BLUE's definition, thresholds by trying all of them in fractions). */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { applyThresholds, chooseThresholds, scoreMultilabel } from '../../../src/tasks/metrics/multilabel.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('multi-label metrics')

interface LabelCase {
  gold: string[]
  predicted: string[]
  k: number
  exactMatch: number
  micro: number[]
  macroF1: number
  samplesF1: number
  examples: number[]
  allExamples: number[]
  precision: number[]
  recall: number[]
  f1: number[]
}
interface ThresholdCase {
  probabilities: number[]
  gold: number[]
  threshold: number
  f1: number
}

const rowsOf = (rows: string[]) => rows.map((row) => Uint8Array.from(row, Number))
const names = (k: number) => Array.from({ length: k }, (_, i) => `label ${i}`)

test('random labels agree with scikit-learn and with BLUE', () => {
  for (const want of metricsGolden<LabelCase>('labels')) {
    const labels = names(want.k)
    const scores = scoreMultilabel(rowsOf(want.gold), rowsOf(want.predicted), labels)
    const columns = labels.map((label) => scores.labels[label])
    allclose(
      [
        ...[scores.exactMatch, scores.macroF1, scores.samplesF1],
        ...[scores.micro.precision, scores.micro.recall, scores.micro.f1],
        ...[scores.examples, scores.allExamples].flatMap((s) => [s.documents, s.precision, s.recall, s.f1]),
        ...columns.flatMap(({ precision, recall, f1 }) => [precision, recall, f1]),
      ],
      [
        ...[want.exactMatch, want.macroF1, want.samplesF1],
        ...want.micro,
        ...want.examples,
        ...want.allExamples,
        ...want.f1.flatMap((f1, k) => [want.precision[k], want.recall[k], f1]),
      ],
      { rtol: 1e-12, atol: 1e-14 },
    )
  }
})

test('a document without labels on either side counts as each average says', () => {
  const gold = [
    [1, 0],
    [0, 0],
  ]
  const scores = scoreMultilabel(gold, gold, ['a', 'b'])
  assert.equal([scores.examples.documents, scores.examples.f1], [1, 1])
  assert.equal([scores.allExamples.documents, scores.allExamples.f1], [2, 1])
  assert.equal([scores.samplesF1, scores.exactMatch, scores.micro.f1, scores.macroF1], [0.5, 1, 1, 0.5])
})

test('labels made up for a document without any cost allExamples, micro and exact match, not examples', () => {
  const gold = [
    [1, 0],
    [0, 0],
  ]
  const predicted = [
    [1, 0],
    [1, 0],
  ]
  const scores = scoreMultilabel(gold, predicted, ['a', 'b'])
  assert.equal([scores.examples.f1, scores.allExamples.f1, scores.exactMatch], [1, 0.5, 0.5])
  assert.is(scores.micro.f1, 2 / 3)
})

test('no document scores 0', () => {
  const scores = scoreMultilabel([], [], ['a'])
  assert.equal([scores.examples.f1, scores.allExamples.f1, scores.samplesF1, scores.exactMatch], [0, 0, 0, 0])
})

test('thresholds are those that trying all of them finds', () => {
  for (const want of metricsGolden<ThresholdCase>('thresholds')) {
    const probabilities = want.probabilities.map((p) => [p])
    const gold = want.gold.map((g) => [g])
    const thresholds = chooseThresholds(probabilities, gold, 1)
    allclose(thresholds, [want.threshold], { rtol: 1e-12, atol: 0 })
    const scores = scoreMultilabel(gold, applyThresholds(probabilities, thresholds), ['a'])
    allclose([scores.micro.f1], [want.f1], { rtol: 1e-12, atol: 0 })
  }
})

test('each label has its own threshold, and one that dev never has keeps 0.5', () => {
  const probabilities = [
    [0.9, 0.2, 0.9],
    [0.7, 0.1, 0.4],
    [0.6, 0.05, 0.6],
  ]
  const gold = [
    [1, 1, 0],
    [0, 1, 0],
    [0, 0, 0],
  ]
  allclose(chooseThresholds(probabilities, gold, 3), [0.8, 0.075, 0.5], { rtol: 1e-12 })
})

test('of two equally good thresholds equally far from 0.5 the lower is taken', () => {
  const probabilities = [[0.75], [0.625], [0.375], [0.375], [0.25]]
  // F1 2/3 at 0.6875 (1 of 1 right) and at 0.3125 (2 of 4), 1/2 between them.
  assert.equal(chooseThresholds(probabilities, [[1], [0], [1], [0], [0]], 1), [0.3125])
})

test('between neighbouring probabilities without a number between them the upper one is the threshold', () => {
  const lower = 0.75
  const upper = lower + Number.EPSILON / 2
  const probabilities = [[lower], [upper]]
  const [threshold] = chooseThresholds(probabilities, [[0], [1]], 1)
  assert.ok(lower < upper)
  assert.equal(
    applyThresholds(probabilities, [threshold]).map((row) => [...row]),
    [[0], [1]],
  )
})

test('other lengths and values are refused', () => {
  assert.throws(() => scoreMultilabel([[0]], [], ['a']), /0 predicted documents, want 1/)
  assert.throws(() => scoreMultilabel([[0]], [[0, 1]], ['a']), /document 0 has 2 predicted labels, want 1/)
  assert.throws(() => scoreMultilabel([[0.5]], [[0]], ['a']), /document 0 has gold 0.5 for label 0/)
  assert.throws(() => chooseThresholds([[0.5]], [], 1), /1 rows of probabilities, want 0/)
})

test.run()
