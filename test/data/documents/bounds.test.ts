/** What is made to take memory, time or depth from a reader or writer of documents takes little. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { documentsOf, faultsOf, readAll, writtenFiles } from '../../support/documents_case.js'

const test = suite('bounds of documents')

test('a line that never ends is not kept', () => {
  const long = Buffer.alloc(17 << 20, 'x')
  for (const format of ['text', 'jsonl', 'pubtator']) {
    const faults = faultsOf(readAll(format, Buffer.concat([long, Buffer.from('\n')])))
    assert.match(faults[0].found, /longer than 16 MiB/)
  }
  assert.match(
    faultsOf(readAll('bioc-json', Buffer.concat([Buffer.from('{"x":"'), long, Buffer.from('"}')])))[0].found,
    /too large/,
  )
})

test('what is made to take long or go deep does not', () => {
  const started = performance.now()
  const deep = `{"text":"x","a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`
  assert.match(faultsOf(readAll('jsonl', deep))[0].found, /brackets 64 deep/)
  const brackets = `{"text":"${'['.repeat(100)}\\""}`
  assert.is(documentsOf(readAll('jsonl', brackets)).length, 1)
  const escapes = `{"text":"${'\\n'.repeat(4e6)}"}`
  assert.is(documentsOf(readAll('jsonl', escapes))[0].passages[0].text.length, 4e6)
  const same = Array.from({ length: 30_000 }, () => ({ id: 'x', passages: [], found: [] }))
  assert.is(writtenFiles('brat', same).at(-1)?.name, 'x~30000.ann')
  const annotations = Array.from({ length: 20_000 }, (_, i) => ({
    id: i,
    text: '?',
    locations: [{ offset: i, length: 1 }],
  }))
  const text = '\u00e9'.repeat(1e6)
  const many = JSON.stringify({ id: '1', passages: [{ offset: 0, text, annotations }] })
  assert.is(documentsOf(readAll('bioc-json', many))[0].passages[0].given.length, 20_000)
  assert.ok(performance.now() - started < 20_000, 'all of it in seconds')
})

test.run()
