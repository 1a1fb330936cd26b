/** Golden scores: test/golden/metrics.py (scikit-learn). */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { scoreClasses, scoreClassification } from '../../../src/tasks/metrics/classification.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('classification metrics')

test('accuracy and confusion are counted by gold row and predicted column', () => {
  const scores = scoreClassification([0, 1, 1, 2], Int32Array.of(0, 1, 2, 2), 3)
  assert.equal(scores, {
    examples: 4,
    correct: 3,
    accuracy: 0.75,
    confusion: [
      [1, 0, 0],
      [0, 1, 1],
      [0, 0, 1],
    ],
  })
})

test('no example gives accuracy 0', () => {
  assert.is(scoreClassification([], [], 2).accuracy, 0)
})

test('other lengths and classes that are not there are refused', () => {
  assert.throws(() => scoreClassification([0], [], 2), /0 predictions, want 1/)
  assert.throws(() => scoreClassification([0], [2], 2), /gold 0, predicted 2 of 2 classes/)
  assert.throws(() => scoreClassification([-1], [0], 2), /gold -1/)
})
interface ClassCase {
  gold: number[]
  predicted: number[]
  k: number
  negative: number[]
  accuracy: number
  confusion: number[][]
  precision: number[]
  recall: number[]
  f1: number[]
  macroF1: number
  positiveMacroF1: number
  micro: number[]
}

test('random classes, with and without negative ones, agree with scikit-learn', () => {
  for (const want of metricsGolden<ClassCase>('classes')) {
    const labels = Array.from({ length: want.k }, (_, k) => `class ${k}`)
    const scores = scoreClasses(want.gold, want.predicted, labels, { negative: want.negative })
    const rows = labels.map((label) => scores.classes[label])
    const { micro } = scores
    assert.equal(scores.confusion, want.confusion)
    allclose(
      [
        scores.accuracy,
        scores.macroF1,
        scores.positiveMacroF1,
        ...[micro.precision, micro.recall, micro.f1],
        ...rows.flatMap(({ precision, recall, f1 }) => [precision, recall, f1]),
      ],
      [
        want.accuracy,
        want.macroF1,
        want.positiveMacroF1,
        ...want.micro,
        ...want.f1.flatMap((f1, k) => [want.precision[k], want.recall[k], f1]),
      ],
      { rtol: 1e-12, atol: 1e-15 },
    )
  }
})

test('micro F1 of relations counts neither gold nor predicted negatives', () => {
  const labels = ['false', 'up', 'down']
  const scores = scoreClasses([0, 0, 1, 2, 2], [0, 1, 1, 0, 1], labels, { negative: [0] })
  assert.equal([scores.micro.correct, scores.micro.predicted, scores.micro.gold], [1, 3, 3])
  assert.is(scores.micro.f1, 1 / 3)
  assert.is(scoreClasses([0, 0, 1, 2, 2], [0, 1, 1, 0, 1], labels).micro.f1, 2 / 5)
})

test('nothing but negatives, and no example at all, score 0 without dividing by nothing', () => {
  const negatives = scoreClasses([0, 0], [0, 0], ['false', 'up'], { negative: [0] })
  assert.equal([negatives.micro.f1, negatives.positiveMacroF1, negatives.accuracy], [0, 0, 1])
  const none = scoreClasses([], [], ['false', 'up'])
  assert.equal([none.micro.f1, none.macroF1, none.accuracy], [0, 0, 0])
})

test('a negative index outside the labels is refused', () => {
  assert.throws(() => scoreClasses([0], [0], ['a'], { negative: [1] }), /negative 1 of 1 labels/)
})

test.run()
