/** Readers of documents on mutated files: documents or faults come, and what was read can be written in every format. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Unwritable } from '../../../src/data/documents/format.js'
import { writable } from '../../../src/data/documents/index.js'
import { documentsPage } from '../../../src/report/documents_page.js'
import { annotated, hardDocuments, readAll, writerOf, writtenAs } from '../../support/documents_case.js'
import { fuzz, fuzzCount } from '../../support/fuzz.js'

const test = suite('fuzz: documents')
const documents = hardDocuments()
const page = documentsPage({ title: 'x', types: ['Sign'], replace: false })

const PUBMED =
  '<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">3</PMID><Article><ArticleTitle>[A <i>fever</i>].</ArticleTitle><Abstract><AbstractText Label="AIM">x<sup>2</sup> cough</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>'

const SEEDS: Readonly<Record<string, readonly string[]>> = {
  'pubmed-xml': [PUBMED],
  'bioc-xml': [
    writtenAs('bioc-xml', documents),
    '<collection><source/><document><id>1</id><passage><infon key="__proto__">x</infon><offset>0</offset><sentence><offset>0</offset><text>fever</text><annotation id="1"><location offset="0" length="5"/><text>fever</text></annotation></sentence></passage><relation id="2"><node refid="1" role=""/></relation></document></collection>',
  ],
  'bioc-json': [
    writtenAs('bioc-json', documents),
    '{"PubTator3":[{"id":1,"passages":[{"offset":0,"text":null,"sentences":[{"offset":0,"text":"fever"}],"infons":{"__proto__":1}}]}]}',
  ],
  pubtator: [writtenAs('pubtator', documents), '1|t|fever\n1|a|x\n1\tCID\ta\tb\n'],
  jsonl: [writtenAs('jsonl', documents), '{"__proto__":{"text":1},"text":"x","id":null}\n'],
  text: ['fever\r\n\ncough'],
}
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  ',',
  ':null',
  '"documents":[',
  '"text":"',
  '"offset":1e999',
  '"offset":-1',
  '\n',
  '\n\n',
  '\t',
  '|t|',
  '|a|',
  '<document>',
  '</document>',
  '<passage>',
  '<text>',
  '</text>',
  '<![CDATA[',
  '<!--',
  '&#0;',
  '&amp;',
  '\u{1f912}',
  '\ufeff',
  '99999999999999999999',
]

for (const [format, seeds] of Object.entries(SEEDS))
  test(`${format} gives documents or faults, which every format can write`, async () => {
    let read = 0
    const { cases, refused } = await fuzz({
      seeds: seeds.map((seed) => Uint8Array.from(Buffer.from(seed))),
      dictionary: TOKENS,
      count: fuzzCount(2000),
      run(bytes, k) {
        for (const one of readAll(
          format,
          bytes,
          k % 3 === 0 ? 1 + (k % 50) : 1 << 16,
          k % 5 === 0 ? 'bytes' : 'characters',
        )) {
          if (one.kind === 'fault') {
            assert.ok(one.fault.found !== '' && one.fault.expected !== '')
            continue
          }
          read++
          // writing costs more than reading: a part of them
          if (k % 8 !== 0) continue
          const document = annotated(one.document)
          for (const { name } of writable)
            try {
              writerOf(name, { replace: k % 16 === 0 }).document(document)
            } catch (error) {
              if (!(error instanceof Unwritable)) throw error
            }
          page.document(document)
        }
      },
    })
    assert.is(refused, 0, 'a fault is given, not thrown')
    assert.ok(read > cases / 20, `${read} documents of ${cases} cases`)
  })

test.run()
