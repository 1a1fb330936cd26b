/** Notes as CSV: columns by name, fields of many lines, broken rows and what comes after them, bounds, mutated input. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { notesCsv } from '../../../../src/data/corpus/formats/notes_csv.js'
import { brief, parseCorpus, randomCuts } from '../../../support/corpus_parse.js'
import { fuzz, fuzzCount } from '../../../support/fuzz.js'

const test = suite('notes_csv format')

const header =
  '"ROW_ID","SUBJECT_ID","HADM_ID","CHARTDATE","CHARTTIME","STORETIME","CATEGORY","DESCRIPTION","CGID","ISERROR","TEXT"\n'
const row = (id: number | string, text: string, error = '') =>
  `${id},22532,167853,"2151-08-04",,,"Discharge summary","Report",,${error},"${text.replaceAll('"', '""')}"\n`

const note = `Admission Date:  [**2151-7-16**]       Discharge Date:  [**2151-8-4**]


Service:
ADDENDUM:

RADIOLOGIC STUDIES:  Radiologic studies also included a "chest" CT,
which confirmed cavitary lesions, 12,000 units.
_______________________________
174, the white count

`

test('one note a row; blank and ruled lines end paragraphs; placeholders stay', () => {
  const content = header + row(174, note) + row(175, 'One line.', '') + row(176, ' \n ') + row(177, 'x', '1')
  const records = parseCorpus(notesCsv, content)
  const at = (id: number) => Buffer.byteLength(content.split(`${id},22532`)[0])
  assert.equal(records, [
    {
      kind: 'document',
      id: '174',
      paragraphs: [
        'Admission Date:  [**2151-7-16**]       Discharge Date:  [**2151-8-4**]',
        'Service: ADDENDUM:',
        'RADIOLOGIC STUDIES:  Radiologic studies also included a "chest" CT, which confirmed cavitary lesions, 12,000 units.',
        '174, the white count',
      ],
    },
    { kind: 'document', id: '175', paragraphs: ['One line.'] },
    { kind: 'dropped', reason: 'no_text', id: '176', byte: at(176) },
    { kind: 'dropped', reason: 'entered_in_error', id: '177', byte: at(177) },
  ])
})

test('columns are found by name, in any order and case, with or without quotes and a byte order mark', () => {
  const content = '\ufefftext,extra,row_id\r\n"Ä first note,\r\nof two lines",x,9\r\n\r\nSecond note,,10'
  assert.equal(parseCorpus(notesCsv, content), [
    { kind: 'document', id: '9', paragraphs: ['Ä first note, of two lines'] },
    { kind: 'document', id: '10', paragraphs: ['Second note'] },
  ])
})

test('after a broken row the next one is read', () => {
  const first = header + row(1, 'First note.')
  const last = row(3, 'Third note.')
  const broken = (bad: string | Buffer) => {
    const records = parseCorpus(
      notesCsv,
      Buffer.concat([Buffer.from(first), Buffer.from(bad), Buffer.from(last)]),
    )
    assert.equal(brief([records[0], records[records.length - 1]]), [['First note.'], ['Third note.']])
    const [record] = records.slice(1)
    assert.is(records.length, 3)
    return record.kind === 'dropped' ? `${record.reason}@${record.byte - first.length} ${record.detail}` : ''
  }
  const rows = 'expected rows of quoted fields, as the header names them'
  assert.is(broken('2,too few\n'), 'broken@0 found 2 columns, expected 11 as in the header')
  assert.is(broken(row('x', 'Text.')), 'broken@0 found ROW_ID "x", expected a number')
  assert.is(broken(row(2, 'a "b" c').replaceAll('""', '"')), `broken@0 found a quote within a field, ${rows}`)
  assert.is(broken('2,1,1,,,,"Report,,,,"Text\n'), `broken@0 found a quote within a field, ${rows}`)
  assert.is(
    broken(Buffer.from(row(2, 'caf\xe9'), 'latin1')),
    'broken@0 found bytes that are not UTF-8, expected UTF-8 text',
  )
})

test('a quote that does not close loses its own row only', () => {
  const rows = Array.from({ length: 50 }, (_, i) =>
    row(10 + i, `Note ${i} says nothing.`, '').replaceAll('"', ''),
  )
  const content = `${header}2,1,1,,,,Report,,,,"The quote stays open\n${rows.join('')}`
  const records = parseCorpus(notesCsv, content)
  assert.equal(brief(records.slice(0, 2)), [`broken@${header.length}`, ['Note 0 says nothing.']])
  assert.is(records.length, 51)
  const [first] = records
  assert.match(first.kind === 'dropped' ? (first.detail ?? '') : '', /found a quote that does not close/)
})

test('a quote open for 100 MB takes no more than a row may, and rows after it are found', () => {
  const before = process.resourceUsage().maxRSS
  const parser = notesCsv.parser({ labels: true })
  const records = [...parser.write(Buffer.from(`${header}2,1,1,,,,Report,,,,"open\n`))]
  const piece = Buffer.from('text of a note that does not end\n'.repeat(30_000))
  for (let i = 0; i < 100; i++) records.push(...parser.write(piece))
  records.push(...parser.write(Buffer.from(row(3, 'Third note.'))), ...parser.end())
  assert.equal(brief(records), [`broken@${header.length}`, ['Third note.']])
  const grown = (process.resourceUsage().maxRSS - before) / 1024
  assert.ok(grown < 256, `${grown} MiB`)
})

test('a file of open quotes is given up in bounded time', () => {
  const parser = notesCsv.parser({ labels: true })
  const records = [...parser.write(Buffer.from(`${header}1,"open\n`))]
  // within the quote that is open these are escaped quotes, and each is a defect of its own when it is read again
  const piece = Buffer.from('1,""x\n'.repeat(200_000))
  const started = process.cpuUsage()
  for (let i = 0; i < 10; i++) records.push(...parser.write(piece))
  records.push(...parser.end())
  const { user } = process.cpuUsage(started)
  assert.ok(user < 20e6, `${user / 1e6} s`)
  const last = records[records.length - 1]
  assert.match(last.kind === 'dropped' ? (last.detail ?? '') : '', /too many rows whose quotes do not close/)
})

test('a header without the columns, or none, is broken', () => {
  const detail = (content: string) => {
    const records = parseCorpus(notesCsv, content)
    assert.is(records.length, 1)
    return records[0].kind === 'dropped' ? records[0].detail : undefined
  }
  assert.match(detail('A,B\n1,2\n3,4\n') ?? '', /found the columns "A,B", expected/)
  assert.match(detail('') ?? '', /found an empty file, expected a header/)
  assert.match(detail('"ROW_ID') ?? '', /found a quote that does not close/)
})

test('pieces of any size give the same records', () => {
  const bytes = Buffer.from(
    header +
      row(1, note) +
      row(2, 'a "b" c').replaceAll('""', '"') +
      row('x', 'y') +
      row(3, note, '1') +
      row(4, note) +
      '5,"open\n6,x\n7,8',
  )
  const whole = parseCorpus(notesCsv, bytes)
  // the row named x begins like none, so that it goes with the broken one before it
  assert.is(whole.length, 7)
  assert.equal(parseCorpus(notesCsv, bytes, { cut: () => 1 }), whole)
  for (let seed = 0; seed < 50; seed++)
    assert.equal(parseCorpus(notesCsv, bytes, { cut: randomCuts(seed) }), whole)
})

test('tells notes by the names of their columns', () => {
  const is = (head: string) => notesCsv.recognises('a.csv', Buffer.from(head))
  assert.ok(is(header) && is('row_id,text\n1,2') && is('\ufeff"TEXT","ROW_ID"\r\n'))
  assert.not.ok(is('id,text\n') || is('a,b\nROW_ID,TEXT\n'))
})

test('mutated input', async () => {
  await fuzz({
    seeds: [
      header + row(1, note) + row(2, 'Short.', '1') + row(3, 'Ende ü.'),
      'ROW_ID,TEXT\n1,a\n2,"b\nc"\n',
    ],
    dictionary: ['"', '""', ',', '\n', '\r\n', '\r', '\n7,', '\n"8",', 'ROW_ID', 'TEXT', '\ufeff', '\0'],
    count: fuzzCount(2000),
    async run(bytes, k) {
      // streams under the parser put work off until the caller has a pause
      await new Promise(setImmediate)
      assert.equal(parseCorpus(notesCsv, bytes, { cut: randomCuts(k) }), parseCorpus(notesCsv, bytes))
    },
  })
})

test.run()
