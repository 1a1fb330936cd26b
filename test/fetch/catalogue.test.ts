/** The catalogue: every data set has files or a reason, and checksums are those of the files as they go round. */
import { existsSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue, catalogued, knownSize, similarNames } from '../../src/fetch/catalogue.js'
import { isInside } from '../../src/fetch/hub.js'
import { dataSets } from '../../src/tasks/datasets.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { sha256 } from '../support/web_server.js'

const test = suite('catalogue')

test('names are names of folders, each of one entry, and have files, a repository or a reason', () => {
  const seen = new Set<string>()
  for (const { name, files, repository, refusal } of catalogue) {
    assert.not.ok(seen.has(name.toLowerCase()), name)
    seen.add(name.toLowerCase())
    assert.is([files, repository, refusal].filter((one) => one !== undefined).length, 1, name)
    if (refusal === undefined) assert.ok(isInside(name) && !name.includes('/'), name)
  }
})

test('every data set of the tasks is there, and what wants an agreement is not fetched', () => {
  for (const { name, agreement } of dataSets) {
    const entry = catalogued(name)
    assert.is(entry?.name, name)
    if (agreement !== undefined) assert.match(entry?.refusal ?? '', /^wants .*https?:\/\//)
  }
})

test('addresses are https, at a commit, and a size comes with a checksum', () => {
  for (const { name, files = [] } of catalogue) {
    for (const { path, url, size, sha256: digest } of files) {
      assert.match(url, /^https:\/\/raw\.githubusercontent\.com\/[\w-]+\/[\w.-]+\/[0-9a-f]{8,40}\/[\w./-]+$/)
      assert.ok(isInside(path), path)
      assert.is(size === undefined, digest === undefined, `${name} ${path}`)
      if (digest !== undefined) assert.match(digest, /^[0-9a-f]{64}$/)
    }
  }
})

test('names are found however they are spelt, and near ones are offered', () => {
  assert.is(catalogued('ncbi_DISEASE')?.name, 'NCBI-disease')
  assert.is(catalogued('s800')?.name, 'Species-800')
  assert.is(catalogued('pubmedbert')?.name, 'biomedbert')
  assert.is(catalogued('albert/albert-base-v2')?.name, 'albert-base-v2')
  assert.is(catalogued('no such thing'), undefined)
  assert.ok(similarNames('bc5cdr').includes('BC5CDR-chem'))
  const minilm = catalogued('minilm')
  assert.is(minilm && knownSize(minilm), 91e6)
})

/** Where the folder of public data has the files of an entry; ChemProt's are named otherwise there. */
const folders: Record<string, (path: string) => string[]> = {
  ...Object.fromEntries(
    ['NCBI-disease', 'BC5CDR-disease', 'BC5CDR-chem', 'BC2GM', 'JNLPBA'].map((set) => [
      set,
      (path: string) => ['ner', set, path],
    ]),
  ),
  LINNAEUS: (path) => ['ner', 'linnaeus', path],
  GAD: (path) => ['re', 'GAD', path],
  'ChemProt-13': (path) => ['re', 'chemprot', path.replace('.txt', '.jsonl')],
  DDI: (path) => ['re', 'ddi2013', path],
  BIOSSES: (path) => ['sts', 'biosses', path],
  'albert-vocab': (path) => ['vocab', 'albert', path],
  'bert-base-cased-vocab': (path) => ['vocab', 'bert-base-cased', path],
  'bert-base-uncased-vocab': (path) => ['vocab', 'bert-base-uncased', path],
}

const name = 'sizes and checksums are those of the files'
if (sharedFile('ner') === undefined) skip(test, name, noSharedData)
else
  test(name, () => {
    let checked = 0
    for (const { name: entry, files = [] } of catalogue) {
      for (const { path, size, sha256: digest } of files) {
        const file = digest && sharedFile(...(folders[entry]?.(path) ?? ['nowhere']))
        if (digest === undefined) continue
        assert.ok(file && existsSync(file), `${entry}: ${path}`)
        const bytes = readFileSync(file as string)
        assert.equal([bytes.length, sha256(bytes)], [size, digest], `${entry}: ${path}`)
        checked++
      }
    }
    assert.is(checked, 39)
  })

test.run()
