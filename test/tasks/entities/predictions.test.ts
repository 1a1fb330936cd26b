import { readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UserError } from '../../../src/error.js'
import { predictionRows, writePredictions } from '../../../src/tasks/entities/predictions.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'

const test = suite('NER report')

const sentences = [
  { words: ['lung', 'cancer'], tags: ['B', 'I'], line: 1 },
  { words: ['none'], tags: ['O'], line: 4 },
]

test('rows hold word, gold and predicted tag, with a blank line after a sentence', () => {
  assert.is(predictionRows(sentences, [['B', 'O'], ['O']]), 'lung\tB\tB\ncancer\tI\tO\n\nnone\tO\tO\n\n')
})

test('the file is written whole, in a new folder, and nothing else is left', () => {
  const folder = `${temporaryFolder()}/new`
  writePredictions(`${folder}/test.tsv`, sentences, [['B', 'I'], ['O']])
  writePredictions(`${folder}/test.tsv`, sentences, [['B', 'O'], ['O']])
  assert.equal(readdirSync(folder), ['test.tsv'])
  assert.match(readFileSync(`${folder}/test.tsv`, 'utf8'), 'cancer\tI\tO')
})

test('a place that cannot be written is an error for people', () => {
  const folder = folderWith({ file: '' })
  assert.throws(
    () => writePredictions(`${folder}/file/test.tsv`, sentences, [['B', 'I'], ['O']]),
    (error: Error) =>
      error instanceof UserError && /file: cannot be made: a file of that name is there/.test(error.message),
  )
})

test('a sentence with too few tags is refused', () => {
  assert.throws(() => predictionRows(sentences, [['B'], ['O']]), /line 1: 1 predicted tags for 2 words/)
  assert.throws(() => predictionRows(sentences, [['B', 'I']]), /predictions for 1 of 2 sentences/)
})

test.run()
