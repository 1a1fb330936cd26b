import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Colours, follow, predictionJson, sureness } from '../../src/web/page/highlights.js'
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

test('offsets of the JSON count code points', () => {
  const text = '\u{1d6fc}-fever and \u{1f912} cough'
  const fever = text.indexOf('fever')
  const cough = text.indexOf('cough')
  const found = JSON.parse(
    predictionJson(text, [
      { start: fever, end: fever + 5, type: 'Symptom', confidence: 0.123456 },
      { start: cough, end: cough + 5, type: 'Symptom', confidence: 1 },
    ]),
  )
  const points = [...text]
  for (const { start, end, text: word } of found.entities) assert.is(points.slice(start, end).join(''), word)
  assert.is(found.text, text)
  assert.equal(Object.keys(found.entities[0]), ['start', 'end', 'type', 'text', 'score'])
  assert.is(found.entities[0].score, 0.1235)
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
