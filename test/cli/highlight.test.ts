import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { wantsColour } from '../../src/cli/colour.js'
import { splitWords } from '../../src/data/corpus/words.js'
import { conllRows, highlighter, jsonLine, textEntities } from '../../src/tasks/entities/highlight.js'

const test = suite('highlight')

const label = (text: string, tags: string, scores?: number[]) => ({
  text,
  words: splitWords(text),
  tags: tags.split(' '),
  ...(scores ? { scores } : {}),
})
const sentence = label('Severe ataxia-telangiectasia, or A-T.', 'O B I I O O B I I O')

test('without colours entities stand in brackets with their type', () => {
  assert.is(
    highlighter(false, { entityName: 'Disease' })(sentence),
    'Severe [ataxia-telangiectasia](Disease), or [A-T](Disease).',
  )
})

test('types of the tags are shown, each with a colour of its own', () => {
  const print = highlighter(true)
  const first = print(label('BRCA1 in cancer', 'B-Gene O B-Disease'))
  assert.is(
    first,
    '\u001b[97;41mBRCA1\u001b[0m\u001b[2m(Gene)\u001b[0m in \u001b[97;44mcancer\u001b[0m\u001b[2m(Disease)\u001b[0m',
  )
  assert.match(print(label('cancer', 'B-Disease')), '\u001b[97;44mcancer')
})

test('text without entities is printed as it is', () => {
  assert.is(highlighter(true)(label('No entity here.', 'O O O O')), 'No entity here.')
})

test('a text of very many entities is printed in a time that grows with its length alone', () => {
  const text = '\u{1f912} x, '.repeat(40_000)
  const words = splitWords(text)
  const start = performance.now()
  const { entities } = JSON.parse(jsonLine({ text, words, tags: words.map(() => 'B') }))
  const seconds = (performance.now() - start) / 1000
  assert.is(entities.length, words.length)
  assert.is(entities.at(-1).end, 5 * 40_000 - 1)
  // counted from the start for each entity it takes minutes
  assert.ok(seconds < 10, `${seconds} s`)
})

test('text cannot command the terminal', () => {
  const printed = highlighter(false)(label('a\u001b[2J b\u202ec', 'O O B O O'))
  assert.is(printed, 'a\ufffd[[2J](ENTITY) b\ufffdc')
})

test('JSON lines hold offsets in code points and the least score of the words', () => {
  const line = jsonLine(label('😀 lung cancer', 'O B I', [1, 0.91239, 0.8]), { entityName: 'Disease' })
  assert.equal(JSON.parse(line), {
    text: '😀 lung cancer',
    entities: [{ start: 2, end: 13, type: 'Disease', text: 'lung cancer', score: 0.8 }],
  })
  assert.not.match(line, '\n')
  assert.equal(JSON.parse(jsonLine(label('fine', 'O'))), { text: 'fine', entities: [] })
})

test('offsets of entities slice the original text', () => {
  for (const entity of textEntities(sentence)) {
    assert.is(sentence.text.slice(entity.start, entity.end), entity.text)
  }
})

test('CoNLL rows hold word and tag, with a blank line after them', () => {
  assert.is(conllRows(label('lung cancer.', 'B I O')), 'lung\tB\ncancer\tI\n.\tO\n\n')
})

test('colours need a terminal that wants them', () => {
  assert.is(wantsColour({ isTTY: true }, {}), true)
  assert.is(wantsColour({ isTTY: true }, { NO_COLOR: '' }), true)
  assert.is(wantsColour({ isTTY: true }, { NO_COLOR: '1' }), false)
  assert.is(wantsColour({ isTTY: true }, { TERM: 'dumb' }), false)
  assert.is(wantsColour({}, {}), false)
})

test('too few tags are refused', () => {
  assert.throws(() => textEntities(label('a b', 'O')), /1 tags for 2 words/)
})

test.run()
