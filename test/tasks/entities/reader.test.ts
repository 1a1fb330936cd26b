import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../../src/error.js'
import { labelNames } from '../../../src/tasks/entities/reader.js'
import { readNer } from '../../../src/tasks/entities/reader_node.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('NER reader')

const read = (content: string | Uint8Array) => readNer(`${folderWith({ 'a.tsv': content })}/a.tsv`)

test('two columns give sentences with the line of their first word', () => {
  const file = read('Ataxia\tB\nwas\tO\n\n\nlung\tB\ncancer\tI\n')
  assert.equal(file.sentences, [
    { words: ['Ataxia', 'was'], tags: ['B', 'O'], line: 1 },
    { words: ['lung', 'cancer'], tags: ['B', 'I'], line: 5 },
  ])
  assert.equal(file.tagSet, ['O', 'B', 'I'])
})

test('CRLF, a byte order mark, spaces for the tab and a missing last line feed change nothing', () => {
  const plain = read('lung\tB\ncancer\tI\n\nno\tO\n').sentences
  assert.equal(read('\ufefflung\tB\r\ncancer\tI\r\n\r\nno\tO').sentences, plain)
  assert.equal(read('lung B\ncancer   I\n \nno O').sentences, plain)
})

test('CoNLL columns: the word is the first, the tag the last, document starts are passed over', () => {
  const file = read(
    '-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\nGerman JJ I-NP B-MISC\n',
  )
  assert.equal(file.sentences, [
    { words: ['EU', 'rejects'], tags: ['B-ORG', 'O'], line: 3 },
    { words: ['German'], tags: ['B-MISC'], line: 6 },
  ])
})

test('a no-break space and a space inside a tab-separated word stay in it', () => {
  assert.equal(read('\u00a0\tO\nin vivo\tB\n').sentences[0].words, ['\u00a0', 'in vivo'])
})

test('labels stand in a fixed order and hold both tags of every type', () => {
  const of = (...contents: string[]) => labelNames(contents.map((content) => read(content)))
  assert.equal(of('a\tI\n', 'b\tO\n'), ['O', 'B', 'I'])
  assert.equal(of('a\tO\n'), ['O', 'B', 'I'])
  assert.equal(of('a\tI-Gene\nb\tB-Disease\n', 'c\tB-Cell\n'), [
    'O',
    'B-Cell',
    'I-Cell',
    'B-Disease',
    'I-Disease',
    'B-Gene',
    'I-Gene',
  ])
})

test('plain tags in one file and typed ones in another are refused', () => {
  assert.throws(
    () => labelNames([read('a\tB\n'), read('a\tB-X\n')]),
    (error: Error) => error instanceof UserError && /without a type .* with one/.test(error.message),
  )
})

const bad: [name: string, content: string | Uint8Array, message: RegExp][] = [
  ['an empty file', '', /a\.tsv: found no labelled word, expected lines with a word/],
  ['a file of blank lines', '\n \n\r\n', /found no labelled word/],
  ['a row without a tag', 'a\tO\nword\n', /a\.tsv:2: found "word", one column, expected a word, a tab/],
  ['a row without a word', 'a\tO\n\tB\n', /a\.tsv:2: found "\\tB", no word/],
  ['an unknown tag', 'a\tO\n\nb\tX\n', /a\.tsv:3: found tag "X", expected B, I or O/],
  ['a tag with an empty type', 'a\tB-\n', /a\.tsv:1: found tag "B-"/],
  ['a lower-case tag', 'a\tb\n', /found tag "b"/],
  ['an empty tag', 'a\tO\nb\t\n', /a\.tsv:2: found tag ""/],
  [
    'another number of columns',
    'a\tO\nb\tc\tO\n',
    /a\.tsv:2: found .* 3 columns, expected 2 columns as in line 1/,
  ],
  [
    'plain and typed tags',
    'a\tB\nb\tB-X\n',
    /a\.tsv:2: found tag "B-X", expected plain tags throughout, as "B" in line 1/,
  ],
  ['typed and plain tags', 'a\tI-X\nb\tI\n', /a\.tsv:2: found tag "I", expected tags with a type throughout/],
  ['Latin-1 text', Buffer.from('a\tO\nna\xefve\tO\n', 'latin1'), /a\.tsv:2: found bytes that are not UTF-8/],
  ['a long broken row', `${'x'.repeat(5000)}\n`, /found "x{60}\.\.\.", one column/],
]

for (const [name, content, message] of bad) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => read(content),
      (error: Error) => {
        assert.instance(error, InputError)
        assert.match(error.message, message)
        return true
      },
    )
  })
}

test('a missing file and a folder are refused by name', () => {
  const folder = folderWith({})
  assert.throws(
    () => readNer(`${folder}/none.tsv`),
    /none\.tsv: found no such file, expected a file of labelled/,
  )
  assert.throws(() => readNer(folder), /found a folder/)
})

// Counts as the data sets' authors give them, from the folder's own README.
const published: [
  set: string,
  split: string,
  sentences: number,
  tokens: number,
  mentions: number,
  longest: number,
][] = [
  ['NCBI-disease', 'train', 5424, 135701, 5134, 123],
  ['NCBI-disease', 'test', 940, 24497, 960, 106],
  ['BC5CDR-disease', 'devel', 4581, 117453, 4246, 225],
  ['BC5CDR-chem', 'test', 4797, 124750, 5385, 165],
  ['BC2GM', 'test', 5038, 143465, 6325, 205],
  ['JNLPBA', 'train', 14690, 443653, 32178, 198],
  ['linnaeus', 'test', 7142, 165095, 1433, 292],
]
for (const [set, split, sentences, tokens, mentions, longest] of published) {
  const name = `${set} ${split} has its published counts`
  const path = sharedFile('ner', set, `${split}.tsv`)
  if (path === undefined) {
    skip(test, name, noSharedData)
    continue
  }
  test(name, () => {
    const file = readNer(path)
    const words = file.sentences.map((sentence) => sentence.words.length)
    const begins = file.sentences.flatMap(({ tags }) => tags.filter((tag) => tag === 'B')).length
    assert.equal(
      [file.sentences.length, words.reduce((a, b) => a + b), begins, Math.max(...words)],
      [sentences, tokens, mentions, longest],
    )
    assert.equal(file.tagSet, ['O', 'B', 'I'])
  })
}

test.run()
