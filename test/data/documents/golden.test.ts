/**
 * Against the Python packages bioc and bconv: what they write is read here with the spans that they meant, and what is written here is
 * what they have read (test/golden/documents.py) with the spans that were meant here.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { documentText } from '../../../src/data/documents/document.js'
import { documentsOf, readAll } from '../../support/documents_case.js'
import { goldenDocuments, written } from '../../support/documents_golden.js'
import { root } from '../../support/paths.js'

const test = suite('documents of Python packages')
const folder = join(root, 'test', 'golden', 'documents')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

type Spans = Readonly<Record<string, [number, number, string][]>>

/** Counted by iterating characters. */
const meant: Spans = Object.fromEntries(
  goldenDocuments.map((document) => {
    const text = documentText(document)
    const length = (part: string) => [...part].length
    const list = [...text.matchAll(/fever|cough/g)].map(({ 0: word, index }): [number, number, string] => {
      const start = length(text.slice(0, index))
      return [start, start + length(word), word]
    })
    return [document.id, list]
  }),
)

test('the files that were read are those that are written', () => {
  for (const [name, text] of Object.entries(written())) {
    assert.ok(existsSync(join(folder, 'ours', name)), name)
    assert.is(text, read(join('ours', name)), name)
  }
})

test('the packages read the spans that were meant, in every format', () => {
  const found = JSON.parse(read('read.json')) as Record<string, Spans>
  assert.is(Object.keys(found).length, 8)
  for (const [reader, spans] of Object.entries(found)) assert.equal(spans, meant, reader)
})

for (const [format, name] of [
  ['bioc-xml', 'theirs.bioc.xml'],
  ['bioc-json', 'theirs.bioc.json'],
  ['pubtator', 'theirs.pubtator'],
])
  test(`${format} of a package is read with its spans`, () => {
    const theirs = JSON.parse(read('theirs.json')) as Spans
    const list = documentsOf(readAll(format, read(name), 100))
    assert.equal(
      list.map(({ id }) => id),
      Object.keys(theirs),
    )
    for (const { id = '', passages } of list) {
      let before = 0
      const spans = passages.flatMap(({ text, given }) => {
        const offset = before
        before += [...text].length + 1
        return given.map(({ spans: [{ start, end }] }) => [
          offset + [...text.slice(0, start)].length,
          offset + [...text.slice(0, end)].length,
          text.slice(start, end),
        ])
      })
      assert.equal(spans, theirs[id])
    }
  })

test.run()
