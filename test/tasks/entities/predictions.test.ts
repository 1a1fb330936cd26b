import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { predictionRows } from '../../../src/tasks/entities/predictions.js'

const test = suite('predictions of named entities')

const sentences = [
  { words: ['lung', 'cancer'], tags: ['B', 'I'], line: 1 },
  { words: ['none'], tags: ['O'], line: 4 },
]

test('rows hold word, gold and predicted tag, with a blank line after a sentence', () => {
  assert.is(predictionRows(sentences, [['B', 'O'], ['O']]), 'lung\tB\tB\ncancer\tI\tO\n\nnone\tO\tO\n\n')
})

test('a sentence with too few tags is refused', () => {
  assert.throws(() => predictionRows(sentences, [['B'], ['O']]), /line 1: 1 predicted tags for 2 words/)
  assert.throws(() => predictionRows(sentences, [['B', 'I']]), /predictions for 1 of 2 sentences/)
})

test.run()
