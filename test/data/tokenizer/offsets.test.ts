/** Where pieces stand, against Hugging Face's tokenizers library, and on text where that has another opinion by hand. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer as HuggingFace } from 'tokenizers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Tokenizer } from '../../../src/data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { importVocabulary } from '../../../src/data/tokenizer/vocabulary_import.js'
import { random } from '../../support/random.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'
import { smallUnigram } from '../../support/small_vocabulary.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('offsets of pieces')

const small = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson() }))
const unigram = loadTokenizer(smallUnigram())

/** `piece=stretch` for every piece. */
function shown(tokenizer: Tokenizer, text: string): string[] {
  const { ids, starts, ends } = tokenizer.encodeOffsets(text)
  return [...ids].map((id, i) => `${tokenizer.pieces[id]}=${text.slice(starts[i], ends[i])}`)
}

test('a letter that loses its mark is whole in its piece', () => {
  assert.equal(shown(small, 'Fe\u0301ver F\u00e9ver'), ['fever=Fe\u0301ver', 'fever=F\u00e9ver'])
  assert.equal(shown(small, 'e\u0301\u0323.'), ['e=e\u0301\u0323', '.=.'])
})

test('pieces that one character becomes all point at it', () => {
  assert.equal(shown(unigram, '(\u00bd').slice(-3), ['1=\u00bd', '<unk>=\u00bd', '2=\u00bd'])
})

test('an unknown word is one stretch, beside what is known', () => {
  assert.equal(shown(small, 'the \u03b1\u03b2\ud83e\udda0, cough'), [
    'the=the',
    '[UNK]=\u03b1\u03b2\ud83e\udda0',
    ',=,',
    'cough=cough',
  ])
})

test('what normalisation drops belongs to no piece', () => {
  assert.equal(shown(small, '\u200bthe\u00a0\u00a0cough\ud800 '), ['the=the', 'cough=cough'])
})

test('a character that is lower-cased by what stands before it keeps its place', () => {
  const list = [
    ...new Set(
      [...'abcdefgh.'].concat([
        '[PAD]',
        '[UNK]',
        '[CLS]',
        '[SEP]',
        '[MASK]',
        '\u03bf',
        '##\u03b4',
        '##\u03bf\u03c2',
      ]),
    ),
  ]
  const greek = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson(list) }))
  const text = '\u039f\u0394\u039f\u03a3.'
  assert.equal(shown(greek, text), ['\u03bf=\u039f', '##\u03b4=\u0394', '##\u03bf\u03c2=\u039f\u03a3', '.=.'])
})

const alphabet = [
  ...'abcdefgh  ..,(-"\'',
  'e\u0301',
  '\u00e9',
  '\u0323',
  '\u00bd',
  '\ufb01',
  '\u03a3',
  '\u0130',
  '\u00df',
  '\ud83d\udc69\u200d\u2695\ufe0f',
  '\u4e2d',
  '\u1112\u1161',
  '\u00a0',
  '\u2009',
  '\u200b',
  '\n',
  '\t',
  '\ud800',
  '\u2581',
  '2,',
  '\u00b5',
  '\u2122',
  '\u0345\u0301',
]

for (const [name, tokenizer] of [
  ['WordPiece', small],
  ['unigram', unigram],
] as const) {
  test(`${name}: on any text the ids are those of encode, stretches ascend and cut no character in two`, () => {
    const { integer, pick } = random(7)
    for (let round = 0; round < 400; round++) {
      const text = Array.from({ length: integer(0, 30) }, () => pick(alphabet)).join('')
      const { ids, starts, ends } = tokenizer.encodeOffsets(text)
      const about = JSON.stringify(text)
      assert.is([...ids].join(), [...tokenizer.encode(text)].join(), about)
      for (let i = 0; i < ids.length; i++) {
        assert.ok(0 <= starts[i] && starts[i] <= ends[i] && ends[i] <= text.length, about)
        if (i > 0) assert.ok(starts[i] >= starts[i - 1] && ends[i] >= ends[i - 1], about)
        // pieces follow one another, or share one character with its marks, two where they are lower-cased together
        if (i > 0) assert.match(text.slice(starts[i], ends[i - 1]), /^(\P{M}?\p{M}*){0,2}$/u, about)
        for (const at of [starts[i], ends[i]])
          assert.not.ok(/^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1)), about)
        assert.is(text.slice(starts[i], ends[i]).trim(), text.slice(starts[i], ends[i]), about)
      }
    }
  })
}

const abstracts = sharedFile('corpus', 'pubmed_sample.txt')
for (const name of ['bert-base-uncased', 'bert-base-cased']) {
  const list = sharedFile('vocab', name, 'vocab.txt')
  const title = `${name}: stretches are those of Hugging Face's library`
  if (list === undefined || abstracts === undefined) {
    skip(test, title, noSharedData)
    continue
  }
  test(title, async () => {
    const dir = join(temporaryFolder(), 'v')
    importVocabulary(list, dir)
    const tokenizer = loadTokenizer(dir)
    const library = HuggingFace.fromFile(join(dir, 'tokenizer.json'))
    const texts = readFileSync(abstracts, 'utf8').split('\n').slice(0, 600)
    let pieces = 0
    for (const text of texts) {
      const encoding = await library.encode(text, null, { addSpecialTokens: false })
      const expected = encoding.getOffsets().map(([start, end]) => `${start}-${end}`)
      const { starts, ends } = tokenizer.encodeOffsets(text)
      const points =
        [...text].length === text.length ? (at: number) => at : (at: number) => [...text.slice(0, at)].length
      const actual = [...starts].map((start, i) => `${points(start)}-${points(ends[i])}`)
      assert.is(actual.join(' '), expected.join(' '), text.slice(0, 100))
      pieces += actual.length
    }
    assert.ok(pieces > 50_000, `${pieces} pieces`)
  })
}

test.run()
