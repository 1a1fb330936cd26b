import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { splitWords } from '../../../src/data/corpus/words.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'

const test = suite('words')

const texts = (text: string) => splitWords(text).map((word) => word.text)

test('letters and digits run together, every other character is a word', () => {
  assert.equal(texts('IFN-alpha2b (0.5 mg/kg), p<.05'), [
    ...['IFN', '-', 'alpha2b', '(', '0', '.', '5', 'mg', '/', 'kg', ')', ',', 'p', '<', '.', '05'],
  ])
  assert.equal(texts('snake_case'), ['snake', '_', 'case'])
})

test('accents, Greek letters and combining marks are part of words', () => {
  assert.equal(texts('Sjögren TNF-α e\u0301tude'), ['Sjögren', 'TNF', '-', 'α', 'e\u0301tude'])
})

test('a character outside the basic plane is one word, offsets are of the original text', () => {
  const text = ' a𝛽 😀x'
  for (const { text: word, start, end } of splitWords(text)) assert.is(text.slice(start, end), word)
  assert.equal(texts(text), ['a𝛽', '😀', 'x'])
})

test('white space of any kind, zero-width spaces and control characters separate words', () => {
  assert.equal(texts('a\u00a0b\u2009c\u200bd\u0007e\r\nf'), ['a', 'b', 'c', 'd', 'e', 'f'])
  assert.equal(texts(' \n\t\u200b'), [])
  assert.equal(texts(''), [])
})

test('a soft hyphen does not divide a word', () => {
  assert.equal(texts('carcin\u00adoma'), ['carcin\u00adoma'])
})

for (const set of ['NCBI-disease', 'BC5CDR-chem', 'BC2GM', 'JNLPBA', 'linnaeus']) {
  const name = `joined by spaces, the words of ${set} come apart as they were`
  const path = sharedFile('ner', set, 'test.tsv')
  if (path === undefined) {
    skip(test, name, noSharedData)
    continue
  }
  test(name, () => {
    let different = 0
    for (const block of readFileSync(path, 'utf8').split('\n\n')) {
      const words = block
        .split('\n')
        .filter((row) => row !== '')
        .map((row) => row.split('\t')[0])
      if (texts(words.join(' ')).join(' ') !== words.join(' ')) different++
    }
    assert.is(different, 0)
  })
}

test.run()
