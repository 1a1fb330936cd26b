/** Offsets count what they say, one character at a time, there and back. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { counter } from '../../../src/data/documents/offsets.js'
import { HARD_TEXTS } from '../../support/documents_case.js'

const test = suite('countings')
const texts = [...HARD_TEXTS.flat(), 'a\ud800b', '\udc00', '\ud83e\ud83e\udd12']

test('characters are those of an iterated string', () => {
  for (const text of texts) {
    const count = counter(text)
    let units = 0
    const characters = [...text]
    assert.is(count.length, characters.length)
    for (const [i, character] of characters.entries()) {
      assert.is(count.at(units), i)
      assert.is(count.units(i), units)
      units += character.length
    }
    assert.is(count.units(characters.length), text.length)
    assert.is(count.units(characters.length + 1), undefined)
    assert.is(count.units(-1), undefined)
  }
})

test('bytes are those of the text as it is written', () => {
  for (const text of texts) {
    const count = counter(text, 'bytes')
    assert.is(count.length, Buffer.byteLength(text))
    let units = 0
    let bytes = 0
    for (const character of text) {
      assert.is(count.at(units), bytes)
      assert.is(count.units(bytes), units)
      const length = Buffer.byteLength(character)
      // there is no place inside of a character
      for (let inside = 1; inside < length; inside++) assert.is(count.units(bytes + inside), undefined)
      units += character.length
      bytes += length
    }
    assert.is(count.units(bytes), units)
  }
})

test('what is no whole number is nowhere', () => {
  for (const text of ['abc', 'a\u{1f912}']) {
    assert.is(counter(text).units(0.5), undefined)
    assert.is(counter(text).units(Number.NaN), undefined)
  }
})

test.run()
