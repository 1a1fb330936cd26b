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

async function corpus(content: string | Uint8Array, more: Partial<CorpusOptions> = {}): Promise<string> {
  const out = join(folder, `c${files++}`)
  await writeCorpus({ inputs: [file(content)], out, workers: 1, ...more })
  return readFileSync(out, 'utf8')
}

const first = 'The first sentence is here.'
const second = 'The second sentence follows it.'

test('one sentence a line, a blank line between documents', async () => {
  assert.is(
    await corpus(`A title of a document.\n${first} ${second}\n\n\n  \n${second}\n`),
    `A title of a document.\n${first}\n${second}\n\n${second}\n`,
  )
})

test('lines shorter than the least are removed, and documents of nothing else with them', async () => {
  assert.is(
    await corpus(`RESULTS:\n${first} Short one. ${second}\n\nTiny.\n\n${first}`),
    `${first}\n${second}\n\n${first}\n`,
  )
  assert.is(await corpus('Exactly 20 letters..\nOnly 19 letters now'), 'Exactly 20 letters..\n')
  assert.is(await corpus(`Tiny one.\n${first}`, { minCharacters: 0 }), `Tiny one.\n${first}\n`)
})

test('sentences longer than the most words are divided', async () => {
  const words = Array.from({ length: 1100 }, (_, i) => `word${i}`)
  const lines = (await corpus(words.join(' '))).trimEnd().split('\n')
  assert.equal(
    lines.map((line) => line.split(' ').length),
    [512, 512, 76],
  )
  assert.is(lines.join(' '), words.join(' '))
})

test('lines are filled from the following sentences where that is asked for', async () => {
  const text = `${first} ${second} ${first}`
  const lines = await corpus(`${text}\n\n${second}`, { fillWords: true, maxWords: 6, minCharacters: 0 })
  assert.is(lines.replaceAll('\n\n', ' ').replaceAll('\n', ' ').trim(), `${text} ${second}`)
  assert.equal(
    lines
      .split('\n\n')[0]
      .split('\n')
      .map((line) => line.split(' ').length),
    [6, 6, 3],
  )
})

test('white space of every kind becomes one blank, carriage returns and a byte order mark vanish', async () => {
  assert.is(
    await corpus('\ufeffThe  first\t sentence\u00a0is here.\r\n\r\nThe second\u2003one is another.\r\n'),
    'The first sentence is here.\n\nThe second one is another.\n',
  )
})

test('a file without a newline at its end loses nothing, several files are several documents', async () => {
  const out = join(folder, 'joined')
  const { documents, sentences, words, short } = await writeCorpus({
    inputs: [file(first), file(second)],
    out,
  })
  assert.is(readFileSync(out, 'utf8'), `${first}\n\n${second}\n`)
  assert.equal([documents, sentences, words, short], [2, 2, 10, 0])
})

test('characters that straddle a read are whole', async () => {
  const paragraph = `${'é'.repeat(31)} β-catenin was found. `.repeat(30_000)
  assert.is((await corpus(paragraph)).replaceAll('\n', ' ').trim(), paragraph.trim())
})

test('a sentence of a million words is one document like any other', async () => {
  const words = 'word '.repeat(1_000_000).trim()
  assert.is((await corpus(words)).replaceAll('\n', ' ').trim(), words)
  assert.is((await corpus(words, { fillWords: true })).replaceAll('\n', ' ').trim(), words)
})

async function refusal(options: CorpusOptions): Promise<string> {
  try {
    await writeCorpus(options)
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
  return 'nothing was refused'
}

test('bad input is refused by name, and nothing is written', async () => {
  const latin1 = Buffer.concat([Buffer.from(`${first}\n${second}\n`), Buffer.of(0x66, 0xe9, 0x0a)])
  const cases: [string, RegExp][] = [
    [file(''), /an empty file/],
    [file('Tiny.\n\nTiny too.\n'), /no line of 20 characters or more \(records left out: 2 short\)/],
    [file(latin1), /byte 60: found bytes that are not UTF-8 in line 3, expected UTF-8 text; nothing else/],
    [file('<?xml version="1.0"?><other/>', '.data'), /XML of an unknown kind/],
    [file('a,b\n1,2\n', '.csv'), /CSV without the columns ROW_ID and TEXT, expected one of the formats/],
    [file(Buffer.of(0x1f, 0x8b, 9, 0), '.bin'), /gzip data that cannot be read/],
    [file(Buffer.of(0x41, 0, 0x42, 0), '.bin'), /binary data/],
    [
      file('PK\x03\x04abc', '.zip'),
      /found a zip archive, expected gzip, tar or plain files; `unzip` unpacks it/,
    ],
    [file('BZh91AY', '.xml.bz2'), /found a bzip2 file, .*`bunzip2`/],
    [file(Buffer.from('\xfd7zXZ\0', 'latin1'), '.xz'), /found an xz file, .*`unxz`/],
    [file(Buffer.from('\ufeffText of a file.', 'utf16le')), /found UTF-16 text, .*iconv/],
    [join(folder, 'absent.txt'), /cannot be read \(no such file/],
  ]
  for (const [path, says] of cases) {
    const out = join(folder, 'never')
    const message = await refusal({ inputs: [path], out, workers: 1 })
    assert.ok(message.includes(path), message)
    assert.match(message, says)
    assert.not.ok(existsSync(out))
  }
  assert.not.ok(readdirSync(folder).some((name) => /partial|parts|never/.test(name)))
})

test('options that make no sense are refused', async () => {
  const inputs = [file(first)]
  const out = join(folder, 'never')
  assert.match(await refusal({ inputs, out, format: 'pdf' }), /format: found "pdf", want one of .*text/)
  assert.match(await refusal({ inputs, out, workers: 0 }), /workers: found 0/)
  assert.match(await refusal({ inputs, out, maxWords: 0 }), /longest line: found 0/)
  assert.match(await refusal({ inputs, out, minCharacters: -1 }), /shortest line: found -1/)
  assert.match(await refusal({ inputs, out: folder }), /is a folder/)
  assert.match(
    await refusal({ inputs, out: join(folder, 'no', 'where') }),
    /cannot be written: .* is no folder/,
  )
})

const sample = sharedFile('corpus', 'pubmed_sample.txt')
if (sample === undefined) skip(test, 'documents and words of the PubMed sample are kept', noSharedData)
else {
  test('documents and words of the PubMed sample are kept', async () => {
    const out = join(folder, 'pubmed')
    const counts = await writeCorpus({ inputs: [sample], out })
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
