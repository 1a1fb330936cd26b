/** The corpus command's rules: documents, short and long lines, encodings, files that appear whole or not at all. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type CorpusOptions, writeCorpus } from '../../../src/data/corpus/corpus.js'
import { UserError } from '../../../src/error.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('corpus')

const folder = temporaryFolder()
let files = 0
function file(content: string | Uint8Array, suffix = '.txt'): string {
  const path = join(folder, `f${files++}${suffix}`)
  writeFileSync(path, content)
  return path
}

function corpus(content: string, more: Partial<CorpusOptions> = {}): string {
  const out = join(folder, `c${files++}`)
  writeCorpus({ files: [file(content)], out, ...more })
  return readFileSync(out, 'utf8')
}

const first = 'The first sentence is here.'
const second = 'The second sentence follows it.'

test('one sentence a line, a blank line between documents', () => {
  assert.is(
    corpus(`A title of a document.\n${first} ${second}\n\n\n  \n${second}\n`),
    `A title of a document.\n${first}\n${second}\n\n${second}\n`,
  )
})

test('lines shorter than the least are removed, and documents of nothing else with them', () => {
  assert.is(
    corpus(`RESULTS:\n${first} Short one. ${second}\n\nTiny.\n\n${first}`),
    `${first}\n${second}\n\n${first}\n`,
  )
  assert.is(corpus('Exactly 20 letters..\nOnly 19 letters now', {}), 'Exactly 20 letters..\n')
  assert.is(corpus(`Tiny one.\n${first}`, { minCharacters: 0 }), `Tiny one.\n${first}\n`)
})

test('sentences longer than the most words are divided', () => {
  const words = Array.from({ length: 1100 }, (_, i) => `word${i}`)
  const lines = corpus(words.join(' ')).trimEnd().split('\n')
  assert.equal(
    lines.map((line) => line.split(' ').length),
    [512, 512, 76],
  )
  assert.is(lines.join(' '), words.join(' '))
})

test('lines are filled from the following sentences where that is asked for', () => {
  const text = `${first} ${second} ${first}`
  const lines = corpus(`${text}\n\n${second}`, { fillWords: true, maxWords: 6, minCharacters: 0 })
  assert.is(lines.replaceAll('\n\n', ' ').replaceAll('\n', ' ').trim(), `${text} ${second}`)
  assert.equal(
    lines
      .split('\n\n')[0]
      .split('\n')
      .map((line) => line.split(' ').length),
    [6, 6, 3],
  )
})

test('white space of every kind becomes one blank, carriage returns and a byte order mark vanish', () => {
  assert.is(
    corpus('\ufeffThe  first\t sentence\u00a0is here.\r\n\r\nThe second\u2003one is another.\r\n'),
    'The first sentence is here.\n\nThe second one is another.\n',
  )
})

test('a file without a newline at its end loses nothing, several files are several documents', () => {
  const out = join(folder, 'joined')
  const counts = writeCorpus({ files: [file(first), file(second)], out })
  assert.is(readFileSync(out, 'utf8'), `${first}\n\n${second}\n`)
  assert.equal([counts.documents, counts.sentences, counts.words, counts.short], [2, 2, 10, 0])
})

test('characters that straddle a read are whole', () => {
  const paragraph = `${'é'.repeat(31)} β-catenin was found. `.repeat(30_000)
  assert.is(corpus(paragraph).replaceAll('\n', ' ').trim(), paragraph.trim())
})

test('bad input is refused with file and line, and nothing is written', () => {
  const cases: [string, RegExp][] = [
    [file(''), /an empty file/],
    [file('Tiny.\n\nTiny too.\n'), /no line of 20 characters/],
    [file(Buffer.concat([Buffer.from(`${first}\n${second}\n`), Buffer.of(0x66, 0xe9, 0x0a)])), /:3: .*UTF-8/],
    [file(Buffer.concat([Buffer.from(`${first}\n`.repeat(60_000)), Buffer.of(0xc3)])), /:60001: .*UTF-8/],
    [file('<?xml version="1.0"?><PubmedArticleSet/>', '.data'), /XML/],
    [file('a,b\n1,2\n', '.csv'), /CSV/],
    [file(Buffer.of(0x1f, 0x8b, 8, 0), '.bin'), /compressed/],
    [file(Buffer.of(0x41, 0, 0x42, 0), '.bin'), /binary/],
    [join(folder, 'absent.txt'), /cannot be read/],
    [folder, /cannot be read|folder/],
  ]
  for (const [path, says] of cases) {
    const out = join(folder, 'never')
    assert.throws(
      () => writeCorpus({ files: [path], out }),
      (error: Error) =>
        error instanceof UserError && error.message.includes(path) && says.test(error.message),
      path,
    )
    assert.not.ok(existsSync(out))
  }
  assert.not.ok(readdirSync(folder).some((name) => name.includes('partial')))
})

const sample = sharedFile('corpus', 'pubmed_sample.txt')
if (sample === undefined) skip(test, 'documents and words of the PubMed sample are kept', noSharedData)
else {
  test('documents and words of the PubMed sample are kept', () => {
    const out = join(folder, 'pubmed')
    const counts = writeCorpus({ files: [sample], out })
    assert.is(counts.documents, 12_696)
    // What is missing are the words of lines that were too short.
    assert.ok(counts.words <= 2_853_395 && counts.words > 2_851_000, `${counts.words}`)
    assert.ok(counts.sentences > 128_000 && counts.sentences < 134_000, `${counts.sentences}`)
    assert.ok(
      readFileSync(out, 'utf8')
        .split('\n')
        .every((line) => line === '' || line.length >= 20),
    )
  })
}

test.run()
