/** The papers' data sets: the table itself, how sets are found by name, and what is said of files that differ. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError } from '../../src/error.js'
import type { KnownSet } from '../../src/tasks/datasets/known.js'
import { checkDataSet, dataSet, dataSets, findDataSets, type Reader } from '../../src/tasks/datasets.js'
import { tasks } from '../../src/tasks/index.js'
import type { ReadOptions } from '../../src/tasks/task.js'
import { folderWith } from '../support/temporary.js'

const test = suite('data sets')

/** Reads any folder as that many items; by fold where there are several. */
function reader(
  counts: (fold: number) => readonly [number, number, number],
  seen: ReadOptions[] = [],
): Reader {
  return {
    forms: ['usual', 'other'],
    read(folder, options) {
      seen.push(options)
      const splits = counts(options.fold ?? 0).map((n, i) => ({
        path: join(folder, ['train', 'dev', 'test'][i]),
        items: Array.from({ length: n }),
      }))
      const [train, dev, test] = splits
      return { train, dev, test, labels: [], notes: ['a note'], facts: {} }
    },
  }
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}

test('the papers’ twenty are there by task as the 2022 paper counts them', () => {
  const twenty = dataSets.slice(0, 20)
  const counts: Record<string, number> = {}
  for (const { task } of twenty) counts[task] = (counts[task] ?? 0) + 1
  assert.equal(counts, { entities: 8, relations: 5, similarity: 2, inference: 1, documents: 1, answers: 3 })
  assert.ok(twenty.every(({ beside }) => beside === undefined))
  assert.equal(
    dataSets.slice(20).map(({ name }) => name),
    ['BC4CHEMD', 'ChemProt-13', 'COVID-QA'],
  )
  assert.ok(dataSets.slice(20).every(({ beside }) => beside !== undefined))
})

test('every set has a task that is there, a source, a licence and a publication; no two share a name', () => {
  for (const set of dataSets) {
    assert.ok(
      tasks.some(({ name }) => name === set.task),
      `${set.name}: no task ${set.task}`,
    )
    for (const text of [set.licence, set.source, set.publication]) assert.ok(text.length > 3, set.name)
    assert.is(dataSet(set.name), set)
    assert.ok(set.releases.length > 0 || set.agreement !== undefined, set.name)
  }
  assert.is(new Set(dataSets.map(({ name }) => name.toLowerCase())).size, dataSets.length)
})

test('the counts of mentions that the papers give are those that are explained', () => {
  // totals of Naseem et al. 2020 and 2022
  const printed = {
    'NCBI-disease': 6881,
    'BC5CDR-disease': 12694,
    'BC5CDR-chem': 15411,
    BC4CHEMD: 79842,
    BC2GM: 20703,
    JNLPBA: 35460,
    LINNAEUS: 4077,
    'Species-800': 3708,
  }
  for (const [name, total] of Object.entries(printed)) assert.is(dataSet(name).paper?.counts.total, total)
})

test('a name is found whatever its case and hyphens; an unknown one is refused with the known ones', () => {
  for (const [name, found] of [
    ['ncbi', 'NCBI-disease'],
    ['bc5cdr_chem', 'BC5CDR-chem'],
    ['euadr', 'EU-ADR'],
    ['share-clefe', 'ShARe/CLEFE'],
    ['bioasq-5b', 'BioASQ 5b'],
    ['chemprot', 'ChemProt'],
    ['chemprot13', 'ChemProt-13'],
  ])
    assert.is(dataSet(name).name, found)
  assert.match(
    refusal(() => dataSet('SQuAD')),
    /no data set SQuAD; known are NCBI-disease, .*COVID-QA$/,
  )
})

test('sets are found at any depth by the names of their folders, the uppermost first', () => {
  const root = folderWith({
    'a/NCBI-disease-IOB/train.tsv': '',
    'a/b/c/ncbi_disease/train.tsv': '',
    'QA/BioASQ/4b/train.json': '',
    'S800/train.tsv': '',
    '.git/GAD/1/test.tsv': '',
    'other/train.tsv': '',
  })
  const found = [...findDataSets(root)].map(([name, all]) => [
    name,
    ...all.map((path) => path.slice(root.length + 1)),
  ])
  assert.equal(found.sort(), [
    ['BioASQ 4b', 'QA/BioASQ/4b'],
    ['NCBI-disease', 'a/NCBI-disease-IOB', 'a/b/c/ncbi_disease'],
    ['Species-800', 'S800'],
  ])
})

test('the two forms of ChemProt are told apart by their files', () => {
  const root = folderWith({
    'x/chemprot/train.tsv': '',
    'y/chemprot/train.jsonl': '',
    'z/chemprot/a.xml': '',
  })
  const found = [...findDataSets(root)].map(([name, [path]]) => [name, path.slice(root.length + 1)])
  assert.equal(found, [
    ['ChemProt', 'x/chemprot'],
    ['ChemProt-13', 'y/chemprot'],
  ])
})

test('a folder that is not there, and a file in its place, are refused', () => {
  const root = folderWith({ file: '' })
  assert.match(
    refusal(() => findDataSets(join(root, 'none'))),
    /none: found no folder/,
  )
  assert.match(
    refusal(() => findDataSets(join(root, 'file'))),
    /file: found a file, expected a folder/,
  )
})

test('counts that are a release’s are said to be whose, others are told split by split', () => {
  const biosses = dataSet('BIOSSES')
  assert.is(
    checkDataSet(
      biosses,
      ['d'],
      reader(() => [70, 16, 14]),
    ).release,
    'the files of BLUE',
  )
  const blurb = checkDataSet(
    biosses,
    ['d', 'e'],
    reader(() => [64, 16, 20]),
  )
  assert.equal(
    [blurb.state, blurb.release, blurb.also, blurb.notes],
    ['as released', 'BLURB', ['e'], ['a note']],
  )
  const cut = checkDataSet(
    biosses,
    ['d'],
    reader(() => [70, 16, 13]),
  )
  assert.is(cut.state, 'differs')
  assert.equal(cut.differs, ['test has 13, 14 as released (the files of BLUE)'])
  assert.equal(cut.items, { train: 70, dev: 16, test: 13, total: 99 })
})

test('a set that nobody counted is not said to be as released, one that is not there is missing', () => {
  const i2b2 = dataSet('i2b2')
  assert.is(
    checkDataSet(
      i2b2,
      ['d'],
      reader(() => [1, 1, 1]),
    ).state,
    'not counted',
  )
  const missing = checkDataSet(
    i2b2,
    [],
    reader(() => [1, 1, 1]),
  )
  assert.equal([missing.state, missing.folder], ['missing', undefined])
})

test('every fold is read; one with other items, and tests that do not make up the whole, are said', () => {
  const set: KnownSet = {
    ...dataSet('EU-ADR'),
    folds: 3,
    releases: [{ by: 'x', items: { total: 9, test: 3 } }],
  }
  const seen: ReadOptions[] = []
  const whole = checkDataSet(
    set,
    ['d'],
    reader(() => [5, 1, 3], seen),
  )
  assert.is(whole.state, 'as released')
  assert.equal(new Set(seen.map(({ fold }) => fold)), new Set([1, 2, 3]))
  const odd = checkDataSet(
    set,
    ['d'],
    reader((fold) => (fold === 2 ? [4, 1, 3] : [5, 1, 3])),
  )
  assert.equal(odd.differs, ['fold 2 has 8, fold 1 9'])
  const less = checkDataSet(
    set,
    ['d'],
    reader((fold) => (fold === 3 ? [6, 1, 2] : [5, 1, 3])),
  )
  assert.equal(less.differs, ['the test parts of all folds have 8 together, fold 1 has 9'])
})

test('what a task refuses is the state of the set, and a defect stays one', () => {
  const set = dataSet('HoC')
  const refusing = (error: Error): Reader => ({
    forms: ['usual'],
    read() {
      throw error
    },
  })
  const bad = new InputError({ file: 'd/train.tsv', line: 3, found: 'x', expected: 'y' })
  const check = checkDataSet(set, ['d'], refusing(bad))
  assert.equal([check.state, check.differs], ['unreadable', ['d/train.tsv:3: found x, expected y']])
  assert.is(
    refusal(() => checkDataSet(set, ['d'], refusing(new Error('a defect')))),
    'a defect',
  )
})

test.run()
