/** What `npm start` says at its end. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { scoresText } from '../../src/cli/commands/demo.js'

const test = suite('demo')
const none = { precision: 0, recall: 0, f1: 0 }
const some = { precision: 0.5, recall: 0.25, f1: 1 / 3 }

test('scores of the short form come with a word that they mean nothing', () => {
  const lines = scoresText(none, some, true).split('\n')
  assert.match(lines[2], /^pretrained +0\.0 +0\.0 +0\.0$/)
  assert.match(lines[3], /^random weights +50\.0 +25\.0 +33\.3$/)
  assert.match(lines.slice(4).join(' '), /trains too little for these scores, .* to mean anything/)
})

test('those of the whole form stand alone', () => {
  assert.is(scoresText(some, none, false).split('\n').length, 4)
})

test.run()
