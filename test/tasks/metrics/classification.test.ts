import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { scoreClassification } from '../../../src/tasks/metrics/classification.js'

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

test.run()
