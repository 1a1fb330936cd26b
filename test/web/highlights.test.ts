import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  Colours,
  follow,
  type Line,
  predictionLines,
  sureness,
  unchanged,
} from '../../src/web/page/highlights.js'
import type { Entity } from '../../src/web/protocol.js'
import { random } from '../support/random.js'

const test = suite('marks in a text that changes')

const at = (start: number, end: number): Entity => ({ start, end, type: 'X', confidence: 0.95 })

test('marks keep their words through insertions, deletions and replacements', () => {
  const text = 'severe fever and cough'
  const entities = [at(0, 12), at(17, 22)]
  const words = (after: string) =>
    follow(entities, text, after).map(({ start, end }) => after.slice(start, end))
  assert.equal(words(text), ['severe fever', 'cough'])
  assert.equal(words(`no ${text}`), ['severe fever', 'cough'])
  assert.equal(words(`${text}.`), ['severe fever', 'cough'])
  assert.equal(words('severe fever or cough'), ['severe fever', 'cough'])
  assert.equal(words('severe fever, cough'), ['severe fever', 'cough'])
  assert.equal(words('severe  fever and cough'), ['cough'])
  assert.equal(words('severe fever and coughs'), ['severe fever', 'cough'])
  assert.equal(words(''), [])
  assert.equal(words('something else'), [])
})

test('of lines only those are drawn again that an edit changed, in text or entities', () => {
  const { integer, pick } = random(6)
  const line = (): Line => ({
    text: pick(['fever', 'cough', '']),
    entities: pick([
      [],
      [at(0, 2)],
      [{ ...at(0, 2), type: 'Y' }],
      [{ ...at(0, 2), confidence: 0.5 }],
      [at(0, 1)],
    ]),
  })
  const lines = (count: number) => Array.from({ length: count }, line)
  for (let k = 0; k < 2000; k++) {
    const before = lines(integer(0, 8))
    const cut = integer(0, before.length + 1)
    const until = integer(cut, before.length + 1)
    const put = lines(integer(0, 3))
    // others of the same contents
    const after = structuredClone([...before.slice(0, cut), ...put, ...before.slice(until)])
    const found = unchanged(before, after)
    const drawn = after.slice(found.same, found.after)
    assert.equal([...before.slice(0, found.same), ...drawn, ...before.slice(found.before)], after)
    assert.ok(drawn.length <= put.length, `${drawn.length} of ${put.length}`)
    assert.ok(found.same <= found.before && found.same <= found.after)
  }
})

test('after any edit a mark covers the text that it covered', () => {
  const { integer, pick } = random(5)
  for (let k = 0; k < 2000; k++) {
    const letters = (n: number) => Array.from({ length: n }, () => pick(['a', 'b', ' '])).join('')
    const before = letters(integer(0, 20))
    const cut = integer(0, before.length + 1)
    const until = integer(cut, before.length + 1)
    const after = before.slice(0, cut) + letters(integer(0, 5)) + before.slice(until)
    const entities: Entity[] = []
    for (let from = 0; from < before.length; ) {
      const end = Math.min(before.length, from + integer(1, 4))
      entities.push(at(from, end))
      from = end + integer(0, 3)
    }
    const moved = follow(entities, before, after)
    if (before === after) assert.equal(moved, entities)
    for (const [i, { start, end }] of moved.entries()) {
      assert.ok(start >= (moved[i - 1]?.end ?? 0) && end <= after.length)
      const texts = entities.map((entity) => before.slice(entity.start, entity.end))
      assert.ok(texts.includes(after.slice(start, end)), `${before} -> ${after}: ${start} to ${end}`)
    }
  }
})

test('the JSON has an object for each line, with offsets that count code points of the line', () => {
  const text = '\u{1d6fc}-fever and \u{1f912} cough\n\nno \u{1f912}\u{1f912} fever\n'
  const entities = [...text.matchAll(/fever|cough/g)].map(({ index, 0: word }, i) => ({
    start: index,
    end: index + word.length,
    type: word === 'fever' ? 'Symptom' : 'Sign',
    confidence: i === 0 ? 0.123456 : 1,
  }))
  const lines = predictionLines(text, entities).split('\n')
  assert.is(lines.pop(), '')
  const found = lines.map((line) => JSON.parse(line))
  assert.equal(
    found.map((line) => line.text),
    text.split('\n').slice(0, 3),
  )
  assert.equal(
    found.map((line) => line.entities.map((entity: { text: string }) => entity.text)),
    [['fever', 'cough'], [], ['fever']],
  )
  for (const line of found)
    for (const { start, end, text: word } of line.entities)
      assert.is([...line.text].slice(start, end).join(''), word)
  assert.equal(Object.keys(found[0].entities[0]), ['start', 'end', 'type', 'text', 'score'])
  assert.is(found[0].entities[0].score, 0.1235)
  assert.is(predictionLines('one line', []), '{"text":"one line","entities":[]}\n')
})

test('confidence has three kinds of lines', () => {
  const kinds = [0, 0.59, 0.6, 0.89, 0.9, 1].map(sureness)
  assert.equal(kinds, ['unsure', 'unsure', 'likely', 'likely', 'sure', 'sure'])
})

test('a type keeps its colour, and types of one model have different ones', () => {
  const colours = new Colours()
  colours.reset(['O', 'B-Disease', 'I-Disease', 'B-Gene', 'I-Gene'])
  assert.is(colours.of('Gene'), 'e1')
  assert.is(colours.of('Disease'), 'e0')
  assert.is(colours.of('ENTITY'), 'e2')
  assert.is(colours.of('Gene'), 'e1')
})

test.run()
