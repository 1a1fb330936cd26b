import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  generateCorpus,
  generateExamples,
  generateNer,
  type NerSplit,
  splitNames,
} from '../../../src/data/corpus/synthetic.js'
import { names } from '../../../src/data/corpus/synthetic_text.js'
import { splitWords } from '../../../src/data/corpus/words.js'
import { readNer } from '../../../src/tasks/entities/reader_node.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('synthetic abstracts')

const documents = (text: string) => text.trimEnd().split('\n\n')
const wordsOf = (text: string) => new Set(splitWords(text).map((word) => word.text.toLowerCase()))
const diseases = new Set(names.disease)
const decoys = new Set([...names.protein, ...names.compound, ...names.organism])
const sentencesOf = (split: NerSplit, count = 400) =>
  readNer(`${folderWith({ 'a.tsv': generateNer(3, count, split) })}/a.tsv`).sentences

test('the same seed gives the same text, another seed another one', () => {
  assert.is(generateCorpus(5, 20), generateCorpus(5, 20))
  assert.is.not(generateCorpus(5, 20), generateCorpus(6, 20))
  assert.is(generateNer(5, 20, 'test'), generateNer(5, 20, 'test'))
  assert.is.not(generateNer(5, 20, 'test'), generateNer(5, 20, 'devel'))
})

test('a longer text begins with the shorter one', () => {
  assert.ok(generateCorpus(5, 30).startsWith(generateCorpus(5, 20).trimEnd()))
  assert.ok(generateNer(5, 30, 'train').startsWith(generateNer(5, 20, 'train').trimEnd()))
})

test('an abstract has four to ten sentences, from background to conclusion, without an unfilled slot', () => {
  for (const document of documents(generateCorpus(1, 500))) {
    assert.not.match(document, /[{}[\]|\n]/)
    const sentences = document.slice(0, -1).split('. ')
    assert.ok(sentences.length >= 3 && sentences.length <= 10, document)
    const last = sentences[sentences.length - 1]
    assert.match(last, /conclu|findings|Taken together|Future work/)
    for (const sentence of sentences) assert.match(sentence, /^[A-Z0-9]/)
  }
})

test('no two abstracts are alike, and few sentences are', () => {
  const corpus = documents(generateCorpus(1, 1000))
  assert.is(new Set(corpus).size, 1000)
  const sentences = corpus.flatMap((document) => document.split('. '))
  assert.ok(new Set(sentences).size > 0.7 * sentences.length)
})

test('the kinds share their suffixes and no name', () => {
  assert.is(diseases.size + decoys.size, 200)
  for (const name of diseases) assert.not(decoys.has(name))
  const ends = (set: Set<string>) => new Set([...set].map((name) => name.slice(-2)))
  assert.equal([...ends(diseases)].sort(), [...ends(decoys)].sort())
})

test('in labelled sentences exactly the mentions of diseases are tagged', () => {
  for (const split of ['train', 'devel', 'test'] as const) {
    for (const { words, tags } of sentencesOf(split)) {
      words.forEach((word, i) => {
        if (diseases.has(word.toLowerCase())) assert.is.not(tags[i], 'O', words.join(' '))
        if (decoys.has(word.toLowerCase())) assert.is(tags[i], 'O', words.join(' '))
        if (tags[i] === 'I') assert.is.not(tags[i - 1], 'O', words.join(' '))
      })
      // Each mention holds the name of one disease.
      const names = words.filter((word) => diseases.has(word.toLowerCase())).length
      assert.is(tags.filter((tag) => tag === 'B').length, names, words.join(' '))
    }
  }
})

test('the splits divide the names', () => {
  for (const kind of ['disease', 'protein', 'compound', 'organism'] as const) {
    const parts = (['train', 'devel', 'test'] as const).flatMap((split) => splitNames(kind, split))
    assert.equal(parts, names[kind])
  }
})

test('most disease mentions of the test split are of names that the train split lacks and the corpus has', () => {
  const train = wordsOf(generateNer(3, 150, 'train'))
  const corpus = wordsOf(generateCorpus(3, 2000))
  const mentions = sentencesOf('test')
    .flatMap(({ words }) => words.map((word) => word.toLowerCase()))
    .filter((word) => diseases.has(word))
  assert.ok(mentions.length > 150)
  assert.ok(mentions.filter((name) => !train.has(name)).length > 0.75 * mentions.length)
  assert.ok(mentions.every((name) => corpus.has(name)))
})

test('there are about as many decoys as diseases in the labelled sentences', () => {
  const words = sentencesOf('test', 1000).flatMap((sentence) =>
    sentence.words.map((word) => word.toLowerCase()),
  )
  const of = (set: Set<string>) => words.filter((word) => set.has(word)).length
  const share = of(diseases) / (of(diseases) + of(decoys))
  assert.ok(share > 0.4 && share < 0.6, `${share}`)
})

test('examples have a disease where they say, and a decoy', () => {
  const examples = generateExamples(2, 20)
  assert.is(examples.length, 20)
  for (const { text, diseases: spans, others } of examples) {
    assert.ok(spans.length > 0 && others.length > 0)
    for (const { start, end } of others) {
      assert.ok(splitWords(text.slice(start, end)).some((word) => decoys.has(word.text.toLowerCase())))
    }
    for (const { start, end } of spans) {
      assert.ok(splitWords(text.slice(start, end)).some((word) => diseases.has(word.text.toLowerCase())))
    }
  }
})

test.run()
