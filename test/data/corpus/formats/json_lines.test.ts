/** JSON lines as a format: fields, ids, faults by line and byte, pieces of any size, mutated input. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { jsonLines } from '../../../../src/data/corpus/formats/json_lines.js'
import { brief, parseCorpus, randomCuts } from '../../../support/corpus_parse.js'
import { fuzz, fuzzCount } from '../../../support/fuzz.js'

const test = suite('json_lines format')

const rows = [
  '{"id": "a1", "text": "First line.\\nSecond \\ud83e\\uddec line.\\r\\n\\nThird."}',
  '',
  '{"pmid": 42, "version": 2, "title": "A title.", "abstract": ["Aims.", "Results."], "year": 1999}',
  '{"paragraphs": ["One.", "  ", "Two."], "meta": {"text": "no"}}',
  '{"title": "Only a title.", "abstract": null}',
  '{"id": 7, "text": " "}',
]

test('text, title and abstract, or paragraphs; ids are strings', () => {
  assert.equal(parseCorpus(jsonLines, rows.join('\n')), [
    { kind: 'document', id: 'a1', paragraphs: ['First line.', 'Second 🧬 line.', 'Third.'] },
    { kind: 'document', id: '42', version: 2, paragraphs: ['A title.', 'Aims.', 'Results.'] },
    { kind: 'document', paragraphs: ['One.', 'Two.'] },
    { kind: 'document', paragraphs: ['Only a title.'] },
    { kind: 'dropped', reason: 'no_text', id: '7', byte: Buffer.byteLength(rows.slice(0, 5).join('\n')) + 1 },
  ])
})

test('what is broken is named with line, byte, found and expected', () => {
  const detail = (row: string) => {
    const [record] = parseCorpus(jsonLines, `{"text":"x"}\n${row}\n`).slice(1)
    assert.is(record.kind, 'dropped')
    if (record.kind !== 'dropped') return ''
    assert.equal([record.reason, record.byte], ['broken', 13])
    return record.detail ?? ''
  }
  assert.is(detail('{"text": "x"'), 'found "{\\"text\\": \\"x\\"" in line 2, expected a JSON object')
  assert.match(detail('[1]'), /found "\[1\]" in line 2, expected a JSON object/)
  assert.match(detail('{"abstracts": "x"}'), /found fields "abstracts" in line 2, expected .*"text"/)
  assert.match(detail('{"text": 5}'), /found fields "text" in line 2/)
  assert.match(detail('{"paragraphs": [["x"]]}'), /found fields "paragraphs"/)
  assert.match(detail('{"text": "x", "id": {}}'), /found an id of type object in line 2, expected a string/)
  assert.match(detail('{"text": "x", "version": 1.5}'), /found version "1.5" in line 2, expected a whole/)
})

test('a line of 100 MB is too large, and the next one is read', () => {
  const parser = jsonLines.parser({ labels: true })
  const piece = Buffer.alloc(1 << 20, 'x')
  const records = [...parser.write(Buffer.from('{"text": "'))]
  for (let i = 0; i < 100; i++) records.push(...parser.write(piece))
  records.push(...parser.write(Buffer.from('"}\n{"text": "Next."}')), ...parser.end())
  assert.equal(brief(records), ['too_large@0', ['Next.']])
})

test('deep nesting is refused as broken', () => {
  const deep = `{"text": ${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`
  assert.equal(brief(parseCorpus(jsonLines, deep)), ['broken@0'])
})

test('pieces of any size give the same records', () => {
  const bytes = Buffer.from([...rows, '{broken', '{"text": "Ω"}'].join('\r\n'))
  const whole = parseCorpus(jsonLines, bytes)
  assert.is(whole.length, 7)
  assert.equal(parseCorpus(jsonLines, bytes, { cut: () => 1 }), whole)
  for (let seed = 0; seed < 50; seed++)
    assert.equal(parseCorpus(jsonLines, bytes, { cut: randomCuts(seed) }), whole)
})

test('tells JSON lines from other JSON', () => {
  const is = (name: string, head: string) => jsonLines.recognises(name, Buffer.from(head))
  assert.ok(is('a', rows[0]) && is('a', `\ufeff${rows[2]}\n{`) && is('a.jsonl', '{'))
  assert.ok(is('long', `{"text": "${'x'.repeat(5000)}`.slice(0, 4096)))
  for (const head of ['{\n  "documents": []\n}', '[{"text": "x"}]', 'text', '{curly} text\n'])
    assert.not.ok(is('a', head), head)
})

test('mutated input', async () => {
  await fuzz({
    seeds: [rows.join('\n'), ...rows.slice(0, 4)],
    dictionary: ['"text":', '"id":', '"paragraphs":[', '{', '}', '[', ']', '\\u', '\n', '1e999', 'null', '"'],
    count: fuzzCount(2000),
    run(bytes, k) {
      assert.equal(parseCorpus(jsonLines, bytes, { cut: randomCuts(k) }), parseCorpus(jsonLines, bytes))
    },
  })
})

test.run()
