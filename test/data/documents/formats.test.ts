/** Readers and writers: what is kept, what fails and where, whatever the pieces in which bytes come. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AnnotatedDocument } from '../../../src/data/documents/document.js'
import { detectFormat } from '../../../src/data/documents/index.js'
import {
  annotated,
  documentsOf,
  faultsOf,
  hardDocuments,
  readAll,
  writtenAs,
  writtenFiles,
} from '../../support/documents_case.js'

const test = suite('formats of documents')

const PUBTATOR = `7|t|Severe \u{1f912} fever
7|a|Had cough.
7\t9\t14\tfever\tDisease\tD005334
7\t19\t24\tcough\tDisease\tD003371
7\tCID\tD005334\tD003371

8|t|A title\r
8|a|\r
\r
9|t|Next
9|a|one
10|t|without a blank line
10|a|between
`

const BIOC_JSON = JSON.stringify({
  source: 'PubMed "quoted" [',
  date: '2020',
  documents: [
    {
      _id: 'x|y',
      id: '7',
      infons: { a: 1, b: null },
      passages: [
        {
          infons: { type: 'title', list: [1] },
          offset: 0,
          text: 'a fever',
          annotations: [
            { id: 'P1', infons: { type: 'Given' }, text: 'fever', locations: [{ offset: 2, length: 5 }] },
            { id: '2', infons: {}, text: 'elsewhere', locations: [{ offset: 99, length: 5 }] },
          ],
          relations: [{ id: 'R1', infons: {}, nodes: [{ refid: 'P1', role: 'r' }] }],
        },
        { offset: 8, infons: {}, sentences: [{ offset: 8, text: 'and cough', annotations: [] }] },
      ],
      relations: [],
    },
    { id: 8, passages: [] },
  ],
  behind: ['{'],
})

const BIOC_XML = `<?xml version="1.0"?><!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>s</source><date/><key>k</key><infon key="c">d</infon>
<document><id>7</id><infon key="a">&lt;b></infon><passage><infon key="type">title</infon><offset>3</offset><text>a fever</text>
<annotation id="T1"><infon key="type">Given</infon><location offset="5" length="5"/><text>fever</text></annotation>
<relation id="R1"><node refid="T1" role="x"/></relation></passage></document>
<document><id>8</id><passage><offset>0</offset><sentence><offset>0</offset><text>No fever.</text></sentence></passage></document></collection>`

const CONTENTS: Readonly<Record<string, string>> = {
  pubtator: PUBTATOR,
  'bioc-json': BIOC_JSON,
  'bioc-xml': BIOC_XML,
  jsonl: '\ufeff{"id": 3, "text": "\u{1f912}", "entities": null}\r\n\n{"text": "x"}',
  text: 'one\r\n\ntwo\u2028 still two\nthree',
}

for (const [format, content] of Object.entries(CONTENTS)) {
  test(`${format} reads the same whatever the pieces`, () => {
    const whole = readAll(format, content)
    for (const size of [1, 2, 3, 7, 64]) assert.equal(readAll(format, content, size), whole)
    assert.ok(whole.length > 1)
  })
  test(`${format} is told by its first bytes`, () => {
    assert.is(
      detectFormat(format === 'text' ? 'x.txt' : 'x', Buffer.from(content.slice(0, 4096)))?.name,
      format,
    )
  })
}

test('what a name ends in decides where bytes do not', () => {
  const name = (file: string, head: string) => detectFormat(file, Buffer.from(head))?.name
  assert.is(name('a.txt', '1|t|x\n'), 'pubtator')
  assert.is(name('a.txt', 'words'), 'text')
  assert.is(name('a.pubtator', ''), 'pubtator')
  assert.is(name('a.jsonl', '{'), 'jsonl')
  assert.is(name('a.ann', 'T1\tx 0 1\ty'), undefined)
})

test('text: a line is a document', () => {
  const texts = documentsOf(readAll('text', CONTENTS.text)).map(({ passages: [{ text }] }) => text)
  assert.equal(texts, ['one', '', 'two\u2028 still two', 'three'])
})

test('PubTator: documents, mentions in characters, relations', () => {
  const [seven, eight, nine, ten] = documentsOf(readAll('pubtator', PUBTATOR))
  assert.equal(
    [seven, eight, nine, ten].map(({ id }) => id),
    ['7', '8', '9', '10'],
  )
  assert.equal(
    eight.passages.map(({ text }) => text),
    ['A title', ''],
  )
  const texts = seven.passages.flatMap(({ text, given }) =>
    given.map(({ spans: [{ start, end }] }) => text.slice(start, end)),
  )
  assert.equal(texts, ['fever', 'cough'])
  const written = writtenAs('pubtator', [annotated(seven)])
  assert.is(
    written,
    `7|t|Severe \u{1f912} fever
7|a|Had cough.
7\t9\t14\tfever\tDisease\tD005334
7\t19\t24\tcough\tDisease\tD003371
7\t9\t14\tfever\tSign\t-
7\t19\t24\tcough\tSign\t-
7\tCID\tD005334\tD003371

`,
  )
  const replaced = writtenAs('pubtator', [annotated(seven)], { replace: true })
  assert.is(replaced, written.replace(/.*Disease.*\n/g, ''))
})

test('PubTator: what fails is named by its line and stops nothing', () => {
  const content = `1|t|good\n1|a|x\n\n2|t|bad\nsome words\n2|a|y\n\n3\t0\t1\tx\tT\n\n4|t|a\n4|t|b\n5|t|x\n6|a|y\n
7|t|fever\n7|a|x\n7\t3\t9\tver x\tT\n\n8|t|\xff\n\n9|t|good\n9\t0\t4\tgood\tT\n`
  const reads = readAll('pubtator', Buffer.from(content, 'latin1'))
  assert.equal(
    faultsOf(reads).map(({ line, id, found, expected }) => [line, id, found, expected]),
    [
      [
        5,
        '2',
        '"some words"',
        'ID|t|title, ID|a|abstract, or ID, start, end, text and type with tabs between',
      ],
      [8, undefined, 'a line of "3"', 'one of ""'],
      [13, '5', 'the abstract of "6"', 'that of "5", or a blank line'],
      [15, '7', '"7\\t3\\t9\\tver x\\tT"', 'a mention inside of the title (5 characters) or of the abstract'],
      [19, undefined, 'bytes that are not UTF-8', 'UTF-8 text'],
    ],
  )
  assert.equal(
    reads.flatMap((read) => (read.kind === 'document' ? [read.document.id] : [])),
    ['1', '4', '4', '9'],
  )
})

test('JSON lines: other fields stay, entities are read and kept or replaced', () => {
  const row =
    '{"text":"a \u{1f912} fever","year":1999,"entities":[{"start":2,"end":3,"type":"X","by":"me"}],"id":5}'
  const [document] = documentsOf(readAll('jsonl', row))
  assert.equal(document.passages[0].given, [{ type: 'X', spans: [{ start: 2, end: 4 }] }])
  const found = '{"start":4,"end":9,"type":"Sign","text":"fever","score":0.5}'
  const kept = '{"start":2,"end":3,"type":"X","by":"me"}'
  const written = (entities: string) =>
    `{"text":"a \u{1f912} fever","year":1999,"entities":[${entities}],"id":5}\n`
  assert.is(writtenAs('jsonl', [annotated(document)]), written(`${kept},${found}`))
  assert.is(writtenAs('jsonl', [annotated(document)], { replace: true }), written(found))
})

test('JSON lines: what fails is named by its line', () => {
  const rows = [
    '{"text":"x"}',
    '{"text":',
    '[1]',
    '{"id":1}',
    '{"id":{},"text":"x"}',
    '{"text":"x","entities":[{"start":0,"end":2,"type":"T"}]}',
  ]
  assert.equal(
    faultsOf(readAll('jsonl', rows.join('\n'))).map(({ line, found }) => [line, found]),
    [
      [2, '"{\\"text\\":"'],
      [3, '"[1]"'],
      [4, 'no text'],
      [5, '{}'],
      [6, '[{"start":0,"end":2,"type":"T"}]'],
    ],
  )
})

test('BioC JSON: all that was there is there, what is found has ids of its own', () => {
  const [seven, eight] = documentsOf(readAll('bioc-json', BIOC_JSON))
  assert.equal(
    seven.passages.map(({ text, type }) => [text, type]),
    [
      ['a fever', 'title'],
      ['and cough', undefined],
    ],
  )
  const before = JSON.parse(BIOC_JSON)
  const { documents, ...around } = JSON.parse(
    writtenAs('bioc-json', [seven, eight].map(annotated), {}, { source: 'PubMed "quoted" [', date: '2020' }),
  )
  assert.equal(around, { source: 'PubMed "quoted" [', date: '2020', key: '', infons: {} })
  const [title, rest] = documents[0].passages
  assert.equal(title.annotations.splice(2), [
    {
      id: 'P2',
      infons: { type: 'Sign', score: '0.5000' },
      text: 'fever',
      locations: [{ offset: 2, length: 5 }],
    },
  ])
  assert.equal(rest.sentences[0].annotations.splice(0), [
    {
      id: 'P3',
      infons: { type: 'Sign', score: '0.5000' },
      text: 'cough',
      locations: [{ offset: 12, length: 5 }],
    },
  ])
  assert.equal(documents, before.documents)
})

test('BioC: --replace drops annotations and the relations between them, and nothing else', () => {
  const [seven] = documentsOf(readAll('bioc-json', BIOC_JSON))
  const [written] = JSON.parse(writtenAs('bioc-json', [annotated(seven)], { replace: true })).documents
  const [title, rest] = written.passages
  assert.equal(
    title.annotations.map(({ id }: { id: string }) => id),
    ['P1'],
  )
  assert.is(title.annotations[0].infons.type, 'Sign')
  assert.equal(title.relations, [])
  assert.equal(title.infons, { type: 'title', list: [1] })
  assert.is(rest.sentences[0].annotations.length, 1)
})

test('BioC JSON comes wrapped, listed, or one behind the other', () => {
  const one = '{"id":"1","passages":[{"offset":0,"text":"\\"] } documents\\":["}]}'
  for (const content of [
    `{"documents":[${one},${one}]}`,
    `{"PubTator3" : [${one},\n${one}], "x": {}}`,
    `[${one}, ${one}]`,
    `${one}\n${one}\n`,
    `{"documents":[${one}]}{"documents":[${one}]}`,
  ])
    for (const size of [1, 5, 1000]) {
      const texts = documentsOf(readAll('bioc-json', content, size)).map(({ passages: [{ text }] }) => text)
      assert.equal(texts, ['"] } documents":[', '"] } documents":['], content)
    }
})

test('BioC JSON: what fails is named by its byte, and the rest is read where brackets allow', () => {
  const good = '{"id":"1","passages":[]}'
  const content = `{"documents":[${good},{"id":"2","passages":[{"offset":"x"}]},{"id":,},${good},{"id"`
  const reads = readAll('bioc-json', content)
  assert.equal(
    faultsOf(reads).map(({ byte, id, found }) => [byte, id, found]),
    [
      [39, '2', '"x" at passages.0.offset'],
      [content.indexOf('{"id":,}'), undefined, '"{\\"id\\":,}", which is no JSON'],
      [content.lastIndexOf('{'), undefined, 'the end of the file inside of an object'],
    ],
  )
  assert.is(reads.filter(({ kind }) => kind === 'document').length, 2)
  assert.equal(
    faultsOf(readAll('bioc-json', 'words')).map(({ byte }) => byte),
    [0],
  )
  assert.match(faultsOf(readAll('bioc-json', '['.repeat(2)))[0].found, /a list where an object/)
  assert.match(faultsOf(readAll('bioc-json', `{"a":${'['.repeat(1e5)}`))[0].found, /64 deep/)
})

test('BioC XML: all that the DTD knows is written back', () => {
  const documents = documentsOf(readAll('bioc-xml', BIOC_XML))
  const around = { source: 's', date: '', key: 'k', infons: { c: 'd' } }
  const written = writtenAs(
    'bioc-xml',
    documents.map((one): AnnotatedDocument => ({ ...one, found: one.passages.map(() => []) })),
    {},
    around,
  )
  const canonical = (xml: string) =>
    xml
      .replace(/^<\?xml[^>]*>/, '')
      .replace(/\n/g, '')
      .replaceAll('&gt;', '>')
      .replaceAll('<date/>', '<date></date>')
  assert.is(canonical(written), canonical(BIOC_XML))
})

test('BioC XML: what fails is named by its byte, and the next document is read', () => {
  const good = '<document><id>1</id></document>'
  const content = `<collection>${good}<document><id>2</id><passage><offset>-1</offset></passage></document><document><x></y></document>${good}<document>`
  const reads = readAll('bioc-xml', content)
  const faults = faultsOf(reads)
  assert.equal(
    faults.map(({ id }) => id),
    ['2', undefined, undefined],
  )
  assert.is(faults[0].byte, content.indexOf('<document><id>2'))
  assert.match(faults[0].found, /"-1" at passages.0.offset/)
  assert.is(reads.filter(({ kind }) => kind === 'document').length, 2)
})

test('BioC whose annotations fit bytes alone is refused as characters, and read as bytes', () => {
  const passage = (offset: number) =>
    `<document><id>1</id><passage><offset>0</offset><text>caf\u00e9 fever</text><annotation id="1"><infon key="type">T</infon><location offset="${offset}" length="5"/><text>fever</text></annotation></passage></document>`
  const [characters, bytes] = [passage(5), passage(6)]
  assert.match(
    faultsOf(readAll('bioc-xml', bytes))[0].expected,
    /offsets in characters \(see --bioc-offsets\)/,
  )
  assert.match(faultsOf(readAll('bioc-xml', characters, 99, 'bytes'))[0].expected, /offsets in bytes/)
  assert.is(documentsOf(readAll('bioc-xml', characters))[0].passages[0].given[0].spans[0].start, 5)
  assert.is(documentsOf(readAll('bioc-xml', bytes, 99, 'bytes'))[0].passages[0].given[0].spans[0].start, 5)
})

test('names of files are safe, and each is used once', () => {
  const ids = [
    '1',
    '../../etc/passwd',
    '.hidden',
    'a b',
    'A B',
    '',
    undefined,
    '1',
    'con\0\n',
    '\u00e9',
    'x'.repeat(5000),
  ]
  const documents = ids.map((id) => ({ ...(id !== undefined && { id }), passages: [], found: [] }))
  const names = writtenFiles('brat', documents)
    .map(({ name }) => name)
    .filter((name) => name.endsWith('.txt'))
  assert.equal(names.slice(0, -1), [
    '1.txt',
    '..%2F..%2Fetc%2Fpasswd.txt'.replace(/^\./, '%2E'),
    '%2Ehidden.txt',
    'a%20b.txt',
    'A%20B~2.txt',
    'document-000006.txt',
    'document-000007.txt',
    '1~2.txt',
    'con%00%0A.txt',
    '%C3%A9.txt',
  ])
  for (const name of names) assert.ok(name.length < 200)
})

test('an id that PubTator cannot say fails', () => {
  for (const id of ['a|b', 'a\tb', '', undefined])
    assert.throws(
      () => writtenAs('pubtator', [{ ...(id !== undefined && { id }), passages: [], found: [] }]),
      /expected an id/,
    )
})

test('labels of a document are infons and fields', () => {
  const [document] = hardDocuments()
  const labels = [
    { label: 'a', applies: true, probability: 0.75 },
    { label: 'b', applies: false, probability: 0.25 },
  ]
  const labelled = { ...document, found: document.passages.map(() => []), labels }
  const [bioc] = JSON.parse(writtenAs('bioc-json', [labelled])).documents
  assert.equal(bioc.infons, { labels: 'a', probabilities: 'a=0.7500,b=0.2500' })
  const { labels: names, probabilities } = JSON.parse(writtenAs('jsonl', [labelled]))
  assert.equal([names, probabilities], [['a'], [0.75, 0.25]])
})

test.run()
