/** Import and training of vocabularies; the trainer's sums are checked against plain enumeration. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer as HuggingFace } from 'tokenizers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Tokenizer } from '../../../src/data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { digamma, Lattice, trainUnigram } from '../../../src/data/tokenizer/unigram_trainer.js'
import { importVocabulary } from '../../../src/data/tokenizer/vocabulary_import.js'
import { trainVocabulary } from '../../../src/data/tokenizer/vocabulary_train.js'
import { UsageError, UserError } from '../../../src/error.js'
import { allclose } from '../../support/allclose.js'
import { root } from '../../support/paths.js'
import { random } from '../../support/random.js'
import { corpusText, madeUpDocuments } from '../../support/small_vocabulary.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'
import { smallPieces, smallVocabTxt } from '../../support/vocabulary.js'

const test = suite('vocabulary')

const folder = temporaryFolder()
const smallModel = join(root, 'test', 'golden', 'tokenizer', 'small.model')
// Syllables joined by chance: thousands of different words, so that pieces are worth having.
const { pick, integer } = random(9)
const syllables =
  'ka to mi ren ost neph glu card hy dro xy al pha be ta phil sar com a na li tis pro te in'.split(' ')
const word = () => Array.from({ length: integer(1, 5) }, () => pick(syllables)).join('')
const madeUp = Array.from({ length: 500 }, () => Array.from({ length: 12 }, word).join(' ')).join('\n')
const text = `${madeUp}\n${corpusText(madeUpDocuments(3, 100))}${'Zn2+ binds at pH 7.4 (P < 0.05).\n'.repeat(20)}`
const corpus = join(folder, 'corpus.txt')
writeFileSync(corpus, text)

let made = 0
function trained(size: number, more = {}): { dir: string; tokenizer: Tokenizer } {
  const dir = join(folder, `v${made++}`)
  trainVocabulary({ files: [corpus], out: dir, size, ...more })
  return { dir, tokenizer: loadTokenizer(dir) }
}

/** All segmentations of a text into pieces, as lists of piece numbers. */
function segmentations(text: string, pieces: string[]): number[][] {
  if (text === '') return [[]]
  return pieces.flatMap((piece, id) =>
    text.startsWith(piece)
      ? segmentations(text.slice(piece.length), pieces).map((rest) => [id, ...rest])
      : [],
  )
}

test('expected and best counts are those of all segmentations, one by one', () => {
  const { uniform } = random(1)
  const pieces = ['▁', 'a', 'b', 'c', 'ab', 'bc', 'abc', '▁a', '▁ab', 'ca', 'é', 'éa'].map((text) => ({
    text,
    score: -1 - 5 * uniform(),
  }))
  const texts = pieces.map(({ text }) => text)
  const encoder = new TextEncoder()
  const units = ['▁abc', '▁abcabc', '▁éab', '▁cab', 'bcabca'].map((word, i) => ({ word, count: 1 + 2.5 * i }))
  const words = units.map(({ word, count }) => ({ bytes: encoder.encode(word), count }))
  const expected = new Float64Array(pieces.length)
  const best = new Float64Array(pieces.length)
  for (const { word, count } of units) {
    const all = segmentations(word, texts).map((path) => ({
      path,
      weight: Math.exp(path.reduce((sum, id) => sum + pieces[id].score, 0)),
    }))
    const total = all.reduce((sum, { weight }) => sum + weight, 0)
    for (const { path, weight } of all) for (const id of path) expected[id] += (count * weight) / total
    all.sort((a, b) => b.weight - a.weight)
    for (const id of all[0].path) best[id] += count
  }
  const lattice = new Lattice(pieces)
  allclose(lattice.expectedCounts(words), expected, { rtol: 1e-9, atol: 1e-12 })
  allclose(lattice.bestCounts(words), best, { rtol: 0, atol: 0 })
})

test('digamma has its known values and obeys its recurrence', () => {
  const euler = 0.5772156649015329
  const known: [number, number][] = [
    [1, -euler],
    [0.5, -euler - 2 * Math.LN2],
    [2, 1 - euler],
    [10, 2.251752589066721],
    [1000, 6.907255195648812],
  ]
  for (const [x, value] of known) allclose([digamma(x)], [value], { rtol: 1e-9, atol: 1e-9 })
  for (let x = 0.1; x < 20; x += 0.7)
    allclose([digamma(x + 1)], [digamma(x) + 1 / x], { rtol: 1e-8, atol: 1e-8 })
})

test('a trained vocabulary has the size asked for, special pieces in front, scores that descend', () => {
  const { dir, tokenizer } = trained(300)
  assert.is(tokenizer.size, 300)
  assert.equal(tokenizer.special, { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 })
  assert.is(new Set(tokenizer.pieces).size, 300)
  const { model } = JSON.parse(readFileSync(join(dir, 'tokenizer.json'), 'utf8'))
  const scores: number[] = model.vocab.slice(5).map(([, score]: [string, number]) => score)
  assert.ok(scores.every((score, i) => score < 0 && (i === 0 || score <= scores[i - 1])))
  const mass = scores.reduce((sum, score) => sum + Math.exp(score), 0)
  assert.ok(mass > 0.9 && mass < 1.1, `${mass}`)
})

test('no letter of the text is unknown, and pieces are longer than letters', () => {
  const { tokenizer } = trained(300, { characterCoverage: 1 })
  const ids = tokenizer.encode(text)
  assert.not.ok(ids.includes(tokenizer.special.unk))
  assert.ok(ids.length < 0.5 * text.length, `${ids.length / text.length}`)
  assert.ok(tokenizer.encode('nephritis cardioma').length <= 6)
})

test('a text with no use for more pieces gives fewer', () => {
  const poor = join(folder, 'poor.txt')
  writeFileSync(poor, corpusText(madeUpDocuments(3, 400)))
  const dir = join(folder, `v${made++}`)
  const { pieces } = trainVocabulary({ files: [poor], out: dir, size: 400 })
  assert.ok(pieces < 400 && pieces > 90)
  assert.is(loadTokenizer(dir).size, pieces)
})

test('pieces do not mix letters, digits and marks', () => {
  for (const piece of trained(300).tokenizer.pieces.slice(5)) {
    assert.match(piece, /^▁?(\p{L}*|\p{N}*|[^\p{L}\p{N}])$/u)
  }
})

test('more pieces make shorter texts', () => {
  const lengths = [100, 200, 400].map((size) => trained(size).tokenizer.encode(text).length)
  assert.ok(lengths[0] > lengths[1] && lengths[1] > lengths[2], lengths.join())
})

test('training is a function of its input', () => {
  assert.is(trained(250).tokenizer.digest, trained(250).tokenizer.digest)
})

test('case is kept where that is asked for', () => {
  const cased = trained(300, { lowercase: false, characterCoverage: 1 }).tokenizer
  assert.ok(cased.pieces.some((piece) => /\p{Lu}/u.test(piece.replace(/\[.*\]/, ''))))
  assert.not.ok(
    trained(300)
      .tokenizer.pieces.slice(5)
      .some((piece) => /\p{Lu}/u.test(piece)),
  )
})

test("Hugging Face's library loads a trained vocabulary and gives its ids", async () => {
  const { dir, tokenizer } = trained(300)
  const lines = text.split('\n').slice(0, 400)
  const library = HuggingFace.fromFile(join(dir, 'tokenizer.json'))
  const encodings = await library.encodeBatch(lines, { addSpecialTokens: false })
  const different = lines.filter(
    (line, i) => [...tokenizer.encode(line)].join() !== encodings[i].getIds().join(),
  )
  // Ties between segmentations of equal score may fall either way.
  assert.ok(different.length <= 4, different.slice(0, 3).join('\n'))
  const pair = await library.encode('in', 'of')
  const { cls, sep } = tokenizer.special
  const [a, b] = [tokenizer.encode('in'), tokenizer.encode('of')]
  assert.equal(pair.getIds(), [cls, ...a, sep, ...b, sep])
  assert.equal(
    pair.getTypeIds(),
    [0, ...a, 0, ...b, 0].map((_, i) => (i < a.length + 2 ? 0 : 1)),
  )
})

test('sizes that cannot be had are refused with those that can', () => {
  for (const [size, says] of [
    [5, /6 to/],
    [7, /want \d+ to \d+/],
    [900_000, /want \d+ to \d+/],
    [1.5, /1\.5/],
  ] as const) {
    const out = join(folder, 'never')
    assert.throws(
      () => trainVocabulary({ files: [corpus], out, size }),
      (error: Error) => error instanceof UsageError && says.test(error.message),
    )
    assert.not.ok(existsSync(out))
  }
})

test('a trained score is the likelier one: the best of many splits of a repeated word wins', () => {
  const units = new Map([
    ['▁abab', 50],
    ['▁ab', 50],
    ['▁cd', 1],
  ])
  const pieces = trainUnigram(units, { size: 9 })
  const scoreOf = (wanted: string) =>
    pieces.find(({ text }) => text === wanted)?.score ?? Number.NEGATIVE_INFINITY
  assert.ok(scoreOf('▁abab') > scoreOf('a'))
  assert.ok(scoreOf('▁ab') > scoreOf('c'))
})

test('an imported vocab.txt has its pieces in order, lower-casing unless it holds capitals', () => {
  const dir = folderWith({ 'vocab.txt': smallVocabTxt })
  const out = join(dir, 'v')
  assert.equal(importVocabulary(join(dir, 'vocab.txt'), out), {
    kind: 'wordpiece',
    pieces: smallPieces.length,
  })
  const tokenizer = loadTokenizer(out)
  assert.equal(tokenizer.pieces, smallPieces)
  assert.equal(
    [...tokenizer.encode('The FEVER.')],
    ['the', 'fever', '.'].map((piece) => smallPieces.indexOf(piece)),
  )
  writeFileSync(join(dir, 'cased.txt'), `${smallVocabTxt}Fever\n`)
  importVocabulary(join(dir, 'cased.txt'), join(dir, 'c'))
  const cased = loadTokenizer(join(dir, 'c'))
  assert.equal([...cased.encode('Fever fever')], [smallPieces.length, smallPieces.indexOf('fever')])
})

test('files that are no vocabulary are refused, and nothing is written', () => {
  const model = readFileSync(smallModel)
  const cases: [string, string | Uint8Array, RegExp][] = [
    ['empty.model', '', /an empty file/],
    [
      'noise.model',
      Uint8Array.from({ length: 999 }, (_, i) => (i * 167) & 255),
      /no protocol buffer|no list/,
    ],
    ['torn.model', model.subarray(0, model.length - 500), /no protocol buffer|no list|character map/],
    ['text.model', 'the of and', /no protocol buffer|no list/],
    ['gap.txt', '[PAD]\n\n[UNK]\n', /:2: .*empty line/],
    ['twice.txt', '[PAD]\n[UNK]\n[PAD]\n', /:3: .*first on line 1/],
    ['bare.txt', 'the\nof\n', /without \[PAD\] \[UNK\]/],
    ['latin.txt', Uint8Array.of(0x66, 0xe9, 0x0a), /UTF-8/],
  ]
  for (const [name, content, says] of cases) {
    const dir = folderWith({ [name]: content })
    assert.throws(
      () => importVocabulary(join(dir, name), join(dir, 'v')),
      (error: Error) =>
        error instanceof UserError && says.test(error.message) && error.message.includes(name),
      name,
    )
    assert.equal(readdirSync(dir), [name])
  }
})

test.run()
