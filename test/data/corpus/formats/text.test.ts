/** Plain text as a format: documents, paragraphs, faults by line and byte, pieces of any size, mutated input. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { text } from '../../../../src/data/corpus/formats/text.js'
import { brief, parseCorpus, randomCuts } from '../../../support/corpus_parse.js'
import { fuzz, fuzzCount } from '../../../support/fuzz.js'

const test = suite('text format')

const sample =
  '\ufeffA title.\r\n First β paragraph. \r\n\r\n \t\nSecond 🧬 document.\u00a0\nMore of it.\n\n\nThe third ends with the file'

test('blank lines end documents, lines are paragraphs', () => {
  assert.equal(brief(parseCorpus(text, sample)), [
    ['A title.', 'First β paragraph.'],
    ['Second 🧬 document.', 'More of it.'],
    ['The third ends with the file'],
  ])
  assert.equal(parseCorpus(text, ''), [])
  assert.equal(parseCorpus(text, '\n\n \n'), [])
})

test('a document that is not UTF-8 is left out, by line and byte', () => {
  const bytes = Buffer.concat([
    Buffer.from('Good.\n\nBad\n'),
    Buffer.of(0x66, 0xe9, 0x0a),
    Buffer.from('same document\n\nGood.\n'),
  ])
  const [first, broken, last] = parseCorpus(text, bytes)
  assert.equal(brief([first, last]), [['Good.'], ['Good.']])
  assert.equal(broken, {
    kind: 'dropped',
    reason: 'broken',
    byte: 11,
    detail: 'found bytes that are not UTF-8 in line 4, expected UTF-8 text',
  })
})

test('documents and lines that do not end are left out, in bounded memory', () => {
  const before = process.resourceUsage().maxRSS
  const parser = text.parser({ labels: true })
  const records = [...parser.write(Buffer.from('Before.\n\n'))]
  const piece = Buffer.alloc(1 << 20, 'x')
  for (let i = 0; i < 100; i++) records.push(...parser.write(piece))
  records.push(...parser.write(Buffer.from('\n\nBetween.\n\n')))
  // lines of one letter take far more memory than bytes
  const lines = Buffer.from('x\n'.repeat(500_000))
  for (let i = 0; i < 10; i++) records.push(...parser.write(lines))
  records.push(...parser.write(Buffer.from('\nAfter.\n')), ...parser.end())
  assert.equal(brief(records), [
    ['Before.'],
    'too_large@9',
    ['Between.'],
    `too_large@${9 + 100 * (1 << 20) + 2 + 10}`,
    ['After.'],
  ])
  const grown = (process.resourceUsage().maxRSS - before) / 1024
  assert.ok(grown < 512, `${grown} MiB`)
})

test('pieces of any size give the same records', () => {
  const bytes = Buffer.concat([Buffer.from(sample), Buffer.of(0x0a, 0xff, 0x0a), Buffer.from(`\n${sample}`)])
  const whole = parseCorpus(text, bytes)
  assert.is(whole.length, 6)
  assert.equal(parseCorpus(text, bytes, { cut: () => 1 }), whole)
  for (let seed = 0; seed < 50; seed++)
    assert.equal(parseCorpus(text, bytes, { cut: randomCuts(seed) }), whole)
})

test('tells text from what is named or begins otherwise', () => {
  const is = (name: string, head: string) => text.recognises(name, Buffer.from(head))
  assert.ok(is('a.txt', 'Some text') && is('a', '\ufeffSome text') && is('README', '<5 mg was given'))
  for (const [name, head] of [
    ['a.xml', 'x'],
    ['a.csv', 'a,b'],
    ['a.jsonl', '{}'],
    ['a.txt', '<?xml version="1.0"?>'],
    ['a.txt', ' <PubmedArticleSet>'],
    ['a.txt', 'a\0b'],
  ])
    assert.not.ok(is(name, head), `${name} ${head}`)
})

test('mutated input', async () => {
  await fuzz({
    seeds: [sample, Buffer.from('one\n\ntwo\n')],
    dictionary: ['\n', '\r\n', '\n\n', '\ufeff', '\0', Buffer.of(0xc3), Buffer.of(0xed, 0xa0, 0x80)],
    count: fuzzCount(2000),
    run(bytes, k) {
      assert.equal(parseCorpus(text, bytes, { cut: randomCuts(k) }), parseCorpus(text, bytes))
    },
  })
})

test.run()
