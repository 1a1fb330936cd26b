import { basename, relative } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UserError } from '../../../src/error.js'
import { holdOut } from '../../../src/tasks/shared/parts.js'
import { findSplits } from '../../../src/tasks/shared/splits.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('splits')

const folder = (...names: string[]) => folderWith(Object.fromEntries(names.map((name) => [name, 'x'])))
const found = (names: string[], options = {}) => {
  const root = folder(...names)
  const { train, dev, test: tested, ...rest } = findSplits(root, options)
  return [train.map((path) => relative(root, path)), dev && basename(dev), relative(root, tested), rest]
}
const refuses = (names: string[], says: RegExp, options = {}) =>
  assert.throws(
    () => findSplits(folder(...names), options),
    (error: Error) => error instanceof UserError && says.test(error.message),
  )

test('parts are found by their usual names, with any of the endings', () => {
  assert.equal(found(['train.tsv', 'dev.tsv', 'test.tsv', 'notes.md']), [
    ['train.tsv'],
    'dev.tsv',
    'test.tsv',
    {},
  ])
  assert.equal(found(['train.jsonl', 'devel.txt', 'test.json'])[1], 'devel.txt')
  assert.equal(found(['train.tsv', 'validation.tsv', 'test.tsv'])[1], 'validation.tsv')
  assert.equal(found(['train.tsv', 'test.tsv'])[1], undefined)
})

test('a name with the word in it serves where the word alone is not there', () => {
  const names = ['mli_train_v1.jsonl', 'mli_dev_v1.jsonl', 'mli_test_v1.jsonl']
  assert.equal(found(names), [['mli_train_v1.jsonl'], 'mli_dev_v1.jsonl', 'mli_test_v1.jsonl', {}])
  assert.equal(found(['train.tsv', 'train_dev.tsv', 'test.tsv']).slice(0, 2), [['train.tsv'], undefined])
})

test('a suffix picks files, skipped names are never meant', () => {
  const names = ['train', 'dev', 'test'].flatMap((part) => [`${part}.tsv`, `${part}_sentences.tsv`])
  assert.equal(found(names, { suffix: '_sentences' }).slice(0, 3), [
    ['train_sentences.tsv'],
    'dev_sentences.tsv',
    'test_sentences.tsv',
  ])
  refuses(['train_sentences.tsv', 'test_sentences.tsv'], /found no train file/, { skip: /_sentences$/ })
})

test('a fold trains on its train file, or on the tests of the others', () => {
  const names = ['1/test.tsv', '1/train.tsv', '2/test.tsv', '10/test.tsv', 'x/test.tsv']
  assert.equal(found(names), [['1/train.tsv'], undefined, '1/test.tsv', { folds: 3, fold: 1 }])
  assert.equal(found(names, { fold: 10 }), [
    ['1/test.tsv', '2/test.tsv'],
    undefined,
    '10/test.tsv',
    { folds: 3, fold: 10 },
  ])
  refuses(names, /found no fold 3, expected one of 1, 2, 10/, { fold: 3 })
  refuses(['1/test.tsv'], /found one fold without a train file/)
  refuses(['train.tsv', 'test.tsv'], /has no folds/, { fold: 1 })
})

test('missing and doubtful files are named', () => {
  refuses(['test.tsv'], /found no train file, expected one of train\.tsv, train\.jsonl/)
  refuses(['train.tsv', 'dev.tsv'], /found no test file/)
  refuses(
    ['train.tsv', 'train.jsonl', 'test.tsv'],
    /found train\.(tsv and train\.jsonl|jsonl and train\.tsv), expected one train file/,
  )
  assert.throws(() => findSplits('/none/there'), /found no folder/)
})

const items = Array.from({ length: 200 }, (_, i) => ({
  text: `t${i % 190}`,
  label: i % 190 < 40 ? 'a' : 'b',
}))
const stratum = (item: (typeof items)[number]) => item

test('a tenth of each label is held out, rows of one text together, by the seed', () => {
  const { train, dev } = holdOut(items, stratum, 1)
  assert.is(train.length + dev.length, 200)
  const texts = new Set(dev.map(({ text }) => text))
  assert.is(texts.size, 19)
  assert.is([...texts].filter((text) => Number(text.slice(1)) < 40).length, 4)
  assert.not(train.some(({ text }) => texts.has(text)))
  assert.equal(holdOut(items, stratum, 1), { train, dev })
  assert.not.equal(holdOut(items, stratum, 2).dev, dev)
})

test('a label with one text stays in training, one with two gives one', () => {
  const few = [
    { text: 'x', label: 'once' },
    { text: 'y', label: 'twice' },
    { text: 'z', label: 'twice' },
  ]
  const { train, dev } = holdOut(few, stratum, 3)
  assert.equal(dev.length, 1)
  assert.is(dev[0].label, 'twice')
  assert.is(train.length, 2)
})

test.run()
