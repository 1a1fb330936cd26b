/** MEDLINE text as a format: fields, structured abstracts, retractions, faults, pieces of any size, mutated input. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { medline } from '../../../../src/data/corpus/formats/medline.js'
import { brief, parseCorpus, randomCuts } from '../../../support/corpus_parse.js'
import { fuzz, fuzzCount } from '../../../support/fuzz.js'

const test = suite('medline format')

const sample = `
PMID- 101
OWN - NLM
DP  - 2001 Jan
TI  - Effects of a β-blocker on heart rate: a randomised
      trial.
PG  - 1-9
AB  - BACKGROUND: Little is known. METHODS AND RESULTS: We gave it to 20
      patients (10 women). CONCLUSION: It works: heart rate fell.
FAU - Smith, John
AU  - Smith J
PT  - Journal Article

PMID- 102
TI  - Withdrawn.
AB  - Text that must not be used.
PT  - Journal Article
PT  - Retracted Publication

PMID- 103
TI  - Notice.
AB  - Of the article before.
PT  - Retraction of Publication
PMID- 104
TI  - A letter has no abstract.
PT  - Letter

PMID- 105
TI  - An article.
AB  - Its text.
RIN - Some Journal. 2003;1:1. PMID: 9
`

test('title and abstract, continued lines joined, other fields passed over', () => {
  const records = parseCorpus(medline, sample)
  const at = (id: number) => Buffer.byteLength(sample.split(`PMID- ${id}`)[0])
  assert.equal(records, [
    {
      kind: 'document',
      id: '101',
      paragraphs: [
        'Effects of a β-blocker on heart rate: a randomised trial.',
        'BACKGROUND: Little is known.',
        'METHODS AND RESULTS: We gave it to 20 patients (10 women).',
        'CONCLUSION: It works: heart rate fell.',
      ],
    },
    { kind: 'dropped', reason: 'retracted', id: '102', byte: at(102) },
    { kind: 'dropped', reason: 'retracted', id: '103', byte: at(103) },
    { kind: 'dropped', reason: 'no_text', id: '104', byte: at(104) },
    { kind: 'dropped', reason: 'retracted', id: '105', byte: at(105) },
  ])
})

test('labels of structured abstracts are left out where that is asked for', () => {
  const [first] = parseCorpus(medline, sample, { labels: false })
  assert.equal(brief([first])[0].slice(1), [
    'Little is known.',
    'We gave it to 20 patients (10 women).',
    'It works: heart rate fell.',
  ])
})

test('what is broken is named, and the next record read', () => {
  const good = 'PMID- 5\nAB  - Good.\n'
  const broken = (bytes: Uint8Array) => {
    const records = parseCorpus(medline, bytes)
    assert.equal(brief(records.slice(1)), [['Good.']])
    const [first] = records
    return first.kind === 'dropped' ? `${first.reason}@${first.byte} ${first.detail}` : ''
  }
  const of = (text: string) => broken(Buffer.from(`${text}\n${good}`))
  assert.is(of('TI  - No number.\n'), 'broken@0 found a record without PMID, expected "PMID- " and a number')
  assert.is(of('PMID- x1\n'), 'broken@0 found PMID "x1", expected "PMID- " and a number')
  assert.match(of('PMID- 4\nplain text\n'), /^broken@8 found "plain text" in line 2, expected a tag/)
  assert.match(of(`PMID- 4\nTI  - ${'x'.repeat(5 << 20)}\n`), /^too_large@8 found a line longer than 4 MiB/)
  assert.match(
    of(`PMID- 4\n${'AU  - Somebody\n'.repeat(400_000)}`),
    /^too_large@0 found a record longer than/,
  )
  assert.match(
    broken(Buffer.concat([Buffer.from('PMID- 4\nTI  - '), Buffer.of(0xff), Buffer.from(`\n\n${good}`)])),
    /^broken@8 found bytes that are not UTF-8 in line 2/,
  )
})

test('pieces of any size give the same records', () => {
  const bytes = Buffer.from(`${sample}\nPMID- x\n\nnothing\n${sample.replaceAll('\n', '\r\n')}`)
  const whole = parseCorpus(medline, bytes)
  assert.is(whole.length, 12)
  assert.equal(parseCorpus(medline, bytes, { cut: () => 1 }), whole)
  for (let seed = 0; seed < 50; seed++)
    assert.equal(parseCorpus(medline, bytes, { cut: randomCuts(seed) }), whole)
})

test('tells MEDLINE text by its first field', () => {
  const is = (head: string) => medline.recognises('a.txt', Buffer.from(head))
  assert.ok(is(sample) && is('\ufeffPMID- 1\r\n'))
  assert.not.ok(is('PMID: 1') || is('Text of PMID- 1'))
})

test('mutated input', async () => {
  await fuzz({
    seeds: [sample],
    dictionary: ['PMID- ', 'TI  - ', 'AB  - ', 'PT  - ', '\n', '\n\n', '      ', 'RESULTS: ', '. '],
    count: fuzzCount(2000),
    run(bytes, k) {
      assert.equal(parseCorpus(medline, bytes, { cut: randomCuts(k) }), parseCorpus(medline, bytes))
    },
  })
})

test.run()
