/** Spans of every written format, cut out with a counting of the test's own: the text that is cut is the text that was found. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { documentText } from '../../../src/data/documents/document.js'
import {
  annotated,
  documentsOf,
  hardDocuments,
  readAll,
  writtenAs,
  writtenFiles,
} from '../../support/documents_case.js'

const test = suite('spans')
const documents = hardDocuments()
const found = documents.map(({ passages }) =>
  passages.flatMap(({ text }) => [...text.matchAll(/fever|cough/g)].map(([match]) => match)),
)
const cut = (text: string, start: number, end: number) => [...text].slice(start, end).join('')
const cutBytes = (text: string, start: number, end: number) =>
  Buffer.from(text).subarray(start, end).toString()

test('there is something to find', () => {
  assert.ok(found.flat().length > 20)
})

test('JSON lines', () => {
  const rows = writtenAs('jsonl', documents).trimEnd().split('\n')
  assert.is(rows.length, documents.length)
  rows.forEach((row, i) => {
    const { id, text, entities } = JSON.parse(row)
    assert.is(id, documents[i].id)
    assert.is(text, documents[i].passages.map((one) => one.text).join('\n'))
    const texts = entities.map(({ start, end }: { start: number; end: number }) => cut(text, start, end))
    assert.equal(texts, found[i])
    assert.equal(
      texts,
      entities.map((one: { text: string }) => one.text),
    )
  })
})

test('PubTator: title, a separator and the abstract as they stand in the file', () => {
  const blocks = writtenAs('pubtator', documents).split('\n\n').slice(0, -1)
  assert.is(blocks.length, documents.length)
  blocks.forEach((block, i) => {
    const [title, abstract, ...rows] = block.split('\n')
    const text = `${title.slice(`${100 + i}|t|`.length)}\n${abstract.slice(`${100 + i}|a|`.length)}`
    // no reader takes anything inside for the end of a line
    assert.is([...text].length, [...documentText(documents[i])].length)
    assert.not.match(text.replace('\n', ''), /[\r\n\v\f\u0085\u2028\u2029]/)
    const cells = rows.map((row) => row.split('\t'))
    assert.equal(
      cells.map(([, start, end]) => cut(text, Number(start), Number(end))),
      found[i],
    )
    assert.equal(
      cells.map(([, , , words]) => words),
      found[i],
    )
    for (const row of cells) assert.is(row.length, 6)
  })
})

test('brat: the .txt as it stands in the folder, whatever ends a line', () => {
  const files = writtenFiles('brat', documents)
  assert.is(files.length, 2 * documents.length)
  documents.forEach((document, i) => {
    const [txt, ann] = files.slice(2 * i, 2 * i + 2)
    assert.is(txt.name, `${document.id}.txt`)
    assert.is(ann.name, `${document.id}.ann`)
    assert.not.match(txt.text, /[\r\v\f\u0085\u2028\u2029]/)
    const rows = ann.text.split('\n').filter((row) => row.startsWith('T'))
    const read = rows.map((row) => /^T(\d+)\tSign (\d+) (\d+)\t(.*)$/.exec(row)?.slice(1) ?? [])
    assert.equal(
      read.map(([n]) => Number(n)),
      found[i].map((_, k) => k + 1),
    )
    assert.equal(
      read.map(([, start, end]) => cut(txt.text, Number(start), Number(end))),
      found[i],
    )
    assert.equal(
      read.map(([, , , words]) => words),
      found[i],
    )
  })
})

test('brat: a mention over lines has a stretch for each', () => {
  const text = 'high\n\r\n\u{1f912}fever'
  const spans = [{ start: 0, end: text.length }]
  const [, ann] = writtenFiles('brat', [
    { passages: [{ text, given: [] }], found: [[{ type: 'a b', spans }]] },
  ])
  assert.is(ann.text, 'T1\ta_b 0 4;5 6;7 13\thigh   \u{1f912}fever\n')
})

for (const [counting, cutting] of [
  ['characters', cut],
  ['bytes', cutBytes],
] as const)
  test(`BioC in ${counting}: at the offset of the passage`, () => {
    const { documents: written } = JSON.parse(writtenAs('bioc-json', documents, { counting }))
    assert.is(written.length, documents.length)
    for (const [i, { passages }] of written.entries()) {
      const whole = passages.map(({ text }: { text: string }) => text).join('\n')
      const texts: string[] = []
      for (const { offset, text, annotations } of passages)
        for (const { locations, text: words } of annotations) {
          const [{ offset: at, length }] = locations
          assert.is(cutting(text, at - offset, at - offset + length), words)
          assert.is(cutting(whole, at, at + length), words)
          texts.push(words)
        }
      assert.equal(texts, found[i])
    }
    const xml = writtenAs('bioc-xml', documents, { counting })
    const json = writtenAs('bioc-json', documents, { counting })
    const again = documentsOf(readAll('bioc-xml', xml, 1 << 16, counting))
    const known = documentsOf(readAll('bioc-json', json, 1 << 16, counting))
    const clean = (list: typeof again) =>
      JSON.parse(
        JSON.stringify(list.map(({ id, passages }) => ({ id, passages }))).replaceAll('\\u000b', ' '),
      )
    assert.equal(clean(again), clean(known), 'XML says what JSON says, but for what XML cannot')
  })

test('one format read and written as another says the same', () => {
  const chain = ['bioc-xml', 'bioc-json', 'jsonl', 'bioc-xml', 'bioc-json']
  // of one passage, as JSON lines have no more, and without what XML cannot say
  const plain = documents.map((document) => {
    const text = documentText(document).replaceAll('\v', ' ')
    return annotated({ id: document.id, passages: [{ text, given: [] }] })
  })
  let content = writtenAs('jsonl', plain)
  let before = 'jsonl'
  for (const format of chain) {
    const read = documentsOf(readAll(before, content, 7))
    content = writtenAs(
      format,
      read.map((one) => ({ ...one, found: one.passages.map(() => []) })),
    )
    before = format
  }
  const last = documentsOf(readAll(before, content))
  last.forEach((document, i) => {
    const [{ text, given }] = document.passages
    assert.is(document.id, plain[i].id)
    assert.is(text, plain[i].passages[0].text)
    assert.equal(
      given.map(({ spans: [{ start, end }] }) => text.slice(start, end)),
      found[i],
    )
  })
})

test.run()
