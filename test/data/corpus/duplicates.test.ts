/** Which of several records with one id counts, beside a plain map, and in several passes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findLosers, lostReason } from '../../../src/data/corpus/duplicates.js'
import { encodeEntries, type IndexEntry, KIND, keyOf, NO_KEY } from '../../../src/data/corpus/part_index.js'
import { random } from '../../support/random.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('duplicates')

const folder = temporaryFolder()

function marks(parts: IndexEntry[][], most?: number): string[] {
  const paths = parts.map((entries, i) => {
    const path = join(folder, `${i}.index`)
    writeFileSync(path, encodeEntries(entries))
    return path
  })
  const losers = findLosers(paths, parts.flat().length, most)
  return Array.from(losers, (mark) => (mark === 0 ? '' : lostReason(mark)))
}

const entry = (id: string | undefined, more: Partial<IndexEntry> = {}): IndexEntry => ({
  key: keyOf('pubmed-xml', id),
  version: 0,
  kind: KIND.document,
  bytes: 1,
  source: 0,
  ...more,
})

/** The rules with a map of ids, one record after another. */
function expected(records: { id?: string; entry: IndexEntry }[]): string[] {
  const out = records.map(() => '')
  const current = new Map<string, { at: number; version: number }>()
  records.forEach(({ id, entry: { kind, version } }, at) => {
    if (id === undefined) return
    const before = current.get(id)
    const own = kind === KIND.dropped && version === 0 ? (before?.version ?? 0) : version
    if (before !== undefined && kind !== KIND.deletion && own < before.version) {
      out[at] = 'older_version'
      return
    }
    if (before !== undefined) {
      out[before.at] =
        kind === KIND.deletion ? 'deleted' : own > before.version ? 'older_version' : 'duplicate'
    }
    // after a deletion any version may come
    current.set(id, { at, version: kind === KIND.deletion ? 0 : own })
  })
  return out
}

test('the rules, one by one', () => {
  const v = (version: number) => entry('1', { version })
  assert.equal(marks([[entry('1'), entry('2')], [entry('1')]]), ['duplicate', '', ''])
  assert.equal(marks([[v(2)], [v(1)], [v(3)]]), ['older_version', 'older_version', ''])
  assert.equal(marks([[v(2), entry('1', { kind: KIND.dropped })]]), ['duplicate', ''])
  assert.equal(marks([[v(2), entry('1', { kind: KIND.deletion }), v(1)]]), ['deleted', 'older_version', ''])
  assert.equal(marks([[entry(undefined), entry(undefined)]]), ['', ''])
  assert.equal(marks([[], []]), [])
})

test('ids of other formats are others', () => {
  const key = keyOf('jsonl', '1')
  assert.equal(marks([[entry('1'), entry('1', { key })]]), ['', ''])
  assert.equal(keyOf('medline', '1'), keyOf('pubmed-xml', '1'))
  assert.equal(keyOf('medline', undefined), NO_KEY)
})

test('many records in several passes are judged as by a map', () => {
  const r = random(5)
  const records = Array.from({ length: 20_000 }, () => {
    const id = r.uniform() < 0.1 ? undefined : String(r.integer(5_000))
    const kind = id === undefined ? KIND.document : r.pick([0, 0, 0, 0, 1, 2] as const)
    return { id, entry: entry(id, { kind, version: kind === KIND.document ? r.integer(4) : 0 }) }
  })
  const parts = [0, 1, 2].map((k) => records.slice(k * 7000, (k + 1) * 7000).map((record) => record.entry))
  const want = expected(records)
  for (const most of [undefined, 6_000, 1_000]) {
    const found = marks(parts, most)
    const wrong = found.findIndex((mark, i) => mark !== want[i])
    assert.is(wrong, -1, `record ${wrong}: ${found[wrong]}, want ${want[wrong]}`)
  }
})

test.run()
