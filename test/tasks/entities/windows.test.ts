import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { gatherTags, type NerExample, windowSentences, windows } from '../../../src/tasks/entities/windows.js'
import { random } from '../../support/random.js'

const test = suite('NER windows')

/** Pieces of word w: one for each letter, with ids that tell word and letter. */
const tokenizer = {
  special: { cls: 2, sep: 3 },
  encodeWords(words: string[]) {
    const ids: number[] = []
    const wordOf: number[] = []
    words.forEach((word, w) => {
      for (let letter = 0; letter < word.length; letter++) {
        ids.push(1000 * (w + 1) + letter)
        wordOf.push(w)
      }
    })
    return { ids: Int32Array.from(ids), wordOf: Int32Array.from(wordOf) }
  },
}

const cut = (words: string[], maxLength: number, stride?: number) =>
  windows(words, 0, tokenizer, maxLength, stride === undefined ? {} : { stride })
const scoredWords = (examples: NerExample[]) => examples.flatMap((example) => [...example.words])
const firstPieces = ({ ids, scored }: NerExample) => [...scored].map((at) => ids[at])

test('a sentence that fits is one window with the label at the first piece of each word', () => {
  const [example, ...others] = windows(['ab', 'c', 'def'], 7, tokenizer, 8)
  assert.is(others.length, 0)
  assert.equal([...example.ids], [2, 1000, 1001, 2000, 3000, 3001, 3002, 3])
  assert.equal([...example.scored], [1, 3, 4])
  assert.equal([...example.words], [0, 1, 2])
  assert.is(example.item, 7)
})

test('one piece too many makes two windows that overlap', () => {
  const examples = cut(['ab', 'c', 'def'], 7)
  assert.is(examples.length, 2)
  assert.equal(scoredWords(examples), [0, 1, 2])
  assert.equal([...examples[0].ids], [2, 1000, 1001, 2000, 3])
})

test('overlaps are divided at their middle', () => {
  const words = 'abcdefghijklmnop'.split('')
  const examples = cut(words, 10, 4)
  assert.equal(
    examples.map(({ words }) => [words[0], words[words.length - 1]]),
    [
      [0, 5],
      [6, 9],
      [10, 15],
    ],
  )
  assert.equal(
    examples.map(({ ids }) => ids.length),
    [10, 10, 10],
  )
})

test('every word of any sentence is scored once, at its first piece, in a window within the limit', () => {
  const rng = random(11)
  for (let trial = 0; trial < 600; trial++) {
    const words = Array.from({ length: rng.integer(1, 60) }, () =>
      'x'.repeat(rng.integer(1, rng.pick([2, 6, 25]))),
    )
    const maxLength = rng.integer(3, 40)
    const stride = rng.uniform() < 0.5 ? undefined : rng.integer(1, maxLength - 1)
    const examples = cut(words, maxLength, stride)
    assert.equal(scoredWords(examples), [...words.keys()])
    for (const example of examples) {
      assert.ok(example.ids.length <= maxLength && example.words.length > 0)
      assert.is(example.ids[0], 2)
      assert.is(example.ids[example.ids.length - 1], 3)
      assert.equal(
        firstPieces(example),
        [...example.words].map((word) => 1000 * (word + 1)),
      )
      // Between the special pieces stand whole words in order, but for those longer than the window.
      const inner = [...example.ids.subarray(1, -1)]
      let i = 0
      while (i < inner.length) {
        const word = inner[i] / 1000 - 1
        const kept = Math.min(words[word].length, maxLength - 2)
        for (let letter = 0; letter < kept; letter++, i++) assert.is(inner[i], 1000 * (word + 1) + letter)
      }
    }
  }
})

test('a word of more pieces than a window holds keeps its first pieces', () => {
  const examples = cut(['a', 'bbbbbbbbbb', 'c'], 6)
  assert.equal(scoredWords(examples), [0, 1, 2])
  assert.equal(Math.max(...examples.map(({ ids }) => ids.length)), 6)
})

test('a sentence without words has no window', () => {
  assert.equal(cut([], 8), [])
})

test('impossible lengths and strides are refused', () => {
  assert.throws(() => cut(['a'], 2), /maxLength is 2 \(want an integer >= 3\)/)
  assert.throws(() => cut(['a'], 8.5), /maxLength is 8.5/)
  assert.throws(() => cut(['a'], 8, 0), /stride is 0 \(want an integer in \[1, 6\]\)/)
  assert.throws(() => cut(['a'], 8, 7), /stride is 7/)
})

test('a tokenizer that loses a word is found out', () => {
  const lossy = { ...tokenizer, encodeWords: (words: string[]) => tokenizer.encodeWords(words.slice(1)) }
  assert.throws(() => windows(['a', 'b'], 0, lossy, 8), /pieces for 1 of 2 words/)
})

test('predictions by window come back as tags by sentence', () => {
  const sentences = [{ words: ['a', 'b'] }, { words: 'cdefghijkl'.split('') }, { words: ['m'] }]
  const examples = windowSentences(sentences, tokenizer, 6, { stride: 2 })
  assert.ok(examples.length > 4)
  const labels = ['O', 'B', 'I']
  const label = (sentence: number, word: number) => (sentence + word) % 3
  const predicted = examples.map(({ item: sentence, words }) =>
    [...words].map((word) => label(sentence, word)),
  )
  assert.equal(
    gatherTags(sentences, examples, predicted, labels),
    sentences.map(({ words }, s) => words.map((_, w) => labels[label(s, w)])),
  )
})

test('a missing, double or unknown prediction is refused', () => {
  const sentences = [{ words: ['a', 'b'] }]
  const examples = windowSentences(sentences, tokenizer, 8)
  assert.throws(() => gatherTags(sentences, [], [], ['O']), /sentence 0, word 0 was not scored/)
  assert.throws(
    () =>
      gatherTags(
        sentences,
        [...examples, ...examples],
        [
          [0, 0],
          [0, 0],
        ],
        ['O'],
      ),
    /word 0 twice/,
  )
  assert.throws(() => gatherTags(sentences, examples, [[0, 1]], ['O']), /label 1 of 1/)
  assert.throws(() => gatherTags(sentences, examples, [[0]], ['O']), /1 labels for the 2 words/)
  assert.throws(() => gatherTags(sentences, examples, [], ['O']), /0 predictions for 1 windows/)
})

test.run()
