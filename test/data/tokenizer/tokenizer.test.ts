/**
 * The tokenizer against SentencePiece (golden ids and checksums made by test/golden/tokenizer/make.py) and against
 * Hugging Face's tokenizers library on the same tokenizer.json.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer as HuggingFace } from 'tokenizers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { IdBuffer, type Tokenizer } from '../../../src/data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { importVocabulary } from '../../../src/data/tokenizer/vocabulary_import.js'
import { UserError } from '../../../src/error.js'
import { root } from '../../support/paths.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('tokenizer')
const goldenDir = join(root, 'test', 'golden', 'tokenizer')

interface Golden {
  lines: { text: string; ids: number[] }[]
  without_digit_comma: number[][]
  corpus?: Record<string, { lines: number; tokens: number; sha256: string }>
}

function golden(name: string): Golden {
  return JSON.parse(readFileSync(join(goldenDir, name), 'utf8')) as Golden
}

function imported(file: string, options = {}): { dir: string; tokenizer: Tokenizer } {
  const dir = join(temporaryFolder(), 'v')
  importVocabulary(file, dir, options)
  return { dir, tokenizer: loadTokenizer(dir) }
}

function same(actual: Iterable<number>, expected: number[], text: string): void {
  assert.is([...actual].join(' '), expected.join(' '), JSON.stringify(text.slice(0, 80)))
}

const spiece = sharedFile('vocab', 'albert', 'spiece.model')
const models: [string, string, string | undefined][] = [
  ['small model', 'small.json', join(goldenDir, 'small.model')],
  ['ALBERT', 'albert.json', spiece],
]

for (const [name, file, model] of models) {
  if (model === undefined) {
    skip(test, `${name}: ids are those of SentencePiece`, noSharedData)
    continue
  }
  const { tokenizer } = imported(model)
  const expected = golden(file)

  test(`${name}: ids are those of SentencePiece, segmentations of equal score included`, () => {
    for (const { text, ids } of expected.lines) same(tokenizer.encode(text), ids, text)
  })

  test(`${name}: the digit-comma rule is an option`, () => {
    const { tokenizer: plain } = imported(model, { digitComma: false })
    expected.without_digit_comma.forEach((ids, i) => {
      same(plain.encode(expected.lines[i].text), ids, expected.lines[i].text)
    })
    assert.is.not(plain.digest, tokenizer.digest)
  })

  test(`${name}: special pieces have ALBERT's ids`, () => {
    assert.equal(tokenizer.special, { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 })
    assert.equal(tokenizer.pieces.slice(0, 5), ['<pad>', '<unk>', '[CLS]', '[SEP]', '[MASK]'])
  })
}

for (const name of ['pubmed_sample.txt', 'pmc_sample.txt']) {
  const corpus = sharedFile('corpus', name)
  const title = `every line of ${name} has the ids of SentencePiece`
  if (spiece === undefined || corpus === undefined) {
    skip(test, title, noSharedData)
    continue
  }
  test(title, () => {
    const { tokenizer } = imported(spiece)
    const expected = golden('albert.json').corpus?.[name]
    const bytes = readFileSync(corpus)
    const hash = createHash('sha256')
    let lines = 0
    let tokens = 0
    for (let from = 0; from < bytes.length; lines++) {
      const newline = bytes.indexOf(10, from)
      const to = newline < 0 ? bytes.length : newline
      const out = new IdBuffer()
      tokenizer.encodeBytes(bytes, from, to, out)
      hash.update(out.data.subarray(0, out.length))
      tokens += out.length
      from = to + 1
    }
    assert.equal({ lines, tokens, sha256: hash.digest('hex') }, expected)
  })
}

/** Ids by the tokenizers library, without special pieces. */
async function reference(dir: string, texts: string[]): Promise<number[][]> {
  const library = HuggingFace.fromFile(join(dir, 'tokenizer.json'))
  const encodings = await library.encodeBatch(texts, { addSpecialTokens: false })
  return encodings.map((encoding) => encoding.getIds())
}

test("Hugging Face's library loads the imported vocabulary and agrees but for ties", async () => {
  const { dir } = imported(join(goldenDir, 'small.model'))
  const { lines } = golden('small.json')
  const texts = lines.map(({ text }) => text).filter((text) => /^[ -~]*$/.test(text) && !text.includes('--'))
  const ids = await reference(dir, texts)
  const tokenizer = loadTokenizer(dir)
  const different = texts.filter((text, i) => [...tokenizer.encode(text)].join() !== ids[i].join())
  // The library weighs pieces like `2000,` down in place of dividing them afterwards.
  assert.ok(
    different.every((text) => /\d,/.test(text)),
    different.find((text) => !/\d,/.test(text)),
  )
})

const abstracts = sharedFile('corpus', 'pubmed_sample.txt')
for (const name of ['bert-base-uncased', 'bert-base-cased']) {
  const list = sharedFile('vocab', name, 'vocab.txt')
  const title = `${name}: ids are those of Hugging Face's WordPiece`
  if (list === undefined || abstracts === undefined) {
    skip(test, title, noSharedData)
    continue
  }
  test(title, async () => {
    const { dir, tokenizer } = imported(list)
    const texts = readFileSync(abstracts, 'utf8').split('\n').slice(0, 3000)
    texts.push(...golden('albert.json').lines.map(({ text }) => text))
    const expected = await reference(dir, texts)
    texts.forEach((text, i) => {
      same(tokenizer.encode(text), expected[i], text)
    })
  })
}

test('words keep their index, and every word has a piece', () => {
  const { tokenizer } = imported(join(goldenDir, 'small.model'))
  const words = ['nephritis', '\u0301', '', 'in', '2000,', 'a b', '\u200b']
  const { ids, wordOf } = tokenizer.encodeWords(words)
  assert.is(ids.length, wordOf.length)
  words.forEach((word, index) => {
    const own = [...ids].filter((_, i) => wordOf[i] === index)
    const alone = [...tokenizer.encode(word)]
    assert.equal(own, alone.length > 0 ? alone : [tokenizer.special.unk])
  })
  assert.equal(
    [...wordOf],
    [...wordOf].sort((a, b) => a - b),
  )
})

test('a text, its bytes and a batch give the same ids, whatever was encoded before', () => {
  const { dir, tokenizer } = imported(join(goldenDir, 'small.model'))
  const texts = golden('small.json').lines.map(({ text }) => text)
  const forward = texts.map((text) => [...tokenizer.encode(text)].join())
  const backward = [...texts].reverse().map((text) => [...loadTokenizer(dir).encode(text)].join())
  assert.equal(backward.reverse(), forward)
  assert.equal(
    tokenizer.encodeBatch(texts).map((ids) => [...ids].join()),
    forward,
  )
})

test('pieces start words by the rule of the original', () => {
  const pieces = [
    '▁the',
    's',
    'ing',
    '.',
    ',',
    '-',
    '1',
    '2000',
    '1,',
    'a1',
    "'",
    "'s",
    '=',
    '>',
    '<',
    '<unk>',
    'é',
    'β',
    '[MASK]',
    '▁',
    'co-op',
    '--',
  ]
  const starts = [1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0]
  const special = ['<pad>', '<unk>', '[CLS]', '[SEP]', '[MASK]']
  const all = [...special, ...pieces.filter((piece) => !special.includes(piece))]
  const dir = folderWith({
    'tokenizer.json': JSON.stringify({
      added_tokens: special.map((content, id) => ({ id, content, special: true })),
      normalizer: { type: 'Lowercase' },
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      model: { type: 'Unigram', unk_id: 1, vocab: all.map((piece) => [piece, -5]) },
    }),
  })
  const { startsWord } = loadTokenizer(dir)
  pieces.forEach((piece, i) => {
    assert.is(startsWord[all.indexOf(piece)], starts[i], piece)
  })
})

test('WordPiece continuations do not start words', () => {
  const tokenizer = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson() }))
  tokenizer.pieces.forEach((piece, id) => {
    assert.is(tokenizer.startsWord[id], piece.startsWith('##') ? 0 : 1)
  })
})

test('the digest is of the vocabulary: equal after a second import, different for another one', () => {
  const { tokenizer: first } = imported(join(goldenDir, 'small.model'))
  const { tokenizer: second } = imported(join(goldenDir, 'small.model'))
  assert.is(first.digest, second.digest)
  assert.match(first.digest, /^[0-9a-f]{64}$/)
  const other = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson() }))
  assert.is.not(first.digest, other.digest)
})

test('a tokenizer.json that segments otherwise is refused by name', () => {
  const { dir } = imported(join(goldenDir, 'small.model'))
  const path = join(dir, 'tokenizer.json')
  const json = JSON.parse(readFileSync(path, 'utf8'))
  const refused = (change: (json: Record<string, never>) => void, says: RegExp): void => {
    const copy = structuredClone(json)
    change(copy)
    writeFileSync(path, JSON.stringify(copy))
    assert.throws(
      () => loadTokenizer(dir),
      (error: Error) =>
        error instanceof UserError && says.test(error.message) && error.message.includes(path),
    )
  }
  const set = (key: string, value: unknown) => (copy: Record<string, unknown>) => {
    copy[key] = value
  }
  refused(set('model', { type: 'BPE' }), /BPE/)
  refused(set('pre_tokenizer', { type: 'ByteLevel' }), /ByteLevel/)
  refused(set('normalizer', { type: 'Nmt' }), /Nmt/)
  refused(set('normalizer', { type: 'Precompiled', precompiled_charsmap: 'AAAA' }), /character map/)
  refused(set('normalizer', { type: 'Precompiled', precompiled_charsmap: '?' }), /character map of 0 bytes/)
  refused(set('model', { type: 'Unigram', vocab: [['a', 0]], unk_id: 5 }), /unk_id/)
  refused(set('model', { type: 'Unigram', vocab: [['a', 0]], unk_id: 0 }), /<pad>/)
})

test.run()
