/** BLUE's four columns: told by themselves, quotes undone, an I after O a mention in two stretches. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../../src/error.js'
import { isBlue } from '../../../src/tasks/entities/blue.js'
import type { NerSentence } from '../../../src/tasks/entities/sentence.js'
import { entities } from '../../../src/tasks/entities.js'
import { folderWith } from '../../support/temporary.js'

const test = suite("BLUE's columns")

const sample = [
  'The\t00098-000001\t0\tO\nleft\t-\t4\tB\natrium\t-\t9\tI\nis\t-\t16\tO\ndilated\t-\t19\tI\n.\t-\t26\tO\n',
  'No\t00098-000001\t30\tO\n""""\t-\t33\tO\nfever\t-\t34\tB\n""""\t-\t39\tO\n',
].join('\n')
const names = ['Training.tsv', 'Development.tsv', 'Test.tsv']
const read = (text: string, form = 'words', files = names) =>
  entities.read(folderWith(Object.fromEntries(files.map((name) => [name, text]))), { form, seed: 1 })

test('they are told from other columns', () => {
  const told = (text: string) => isBlue(join(folderWith({ 'a.tsv': text }), 'a.tsv'))
  assert.is(told(sample), true)
  assert.is(told('EU NNP I-NP B-ORG\n'), false)
  assert.is(told('EU\tNNP\tI-NP\tB-ORG\nof\t-\tI-NP\tO\n'), false)
  assert.is(told('fever\tB\n'), false)
})

for (const files of [names, ['train.tsv', 'devel.tsv', 'test.tsv']])
  test(`${files.join(', ')}: stretches are entities of their own, the mention stays gold`, () => {
    const data = read(sample, 'words', files)
    assert.is(data.form, 'blue')
    assert.equal(data.labels, ['O', 'B', 'I'])
    const [first, second] = data.test.items as NerSentence[]
    assert.equal(first.tags, ['O', 'B', 'I', 'O', 'B', 'O'])
    assert.equal(first.mentions, [null])
    assert.equal(second.words, ['No', '"', 'fever', '"'])
    assert.equal(second.mentions, [{ start: 2, end: 3, type: '' }])
    assert.equal(second.line, 8)
    assert.match(
      data.notes.join('\n'),
      /test: 1 mentions in 1 documents are discontinuous .*\(00098-000001: left atrium \.\.\. dilated\)/,
    )
    const { test: counts } = data.facts.mentions as Record<string, unknown>
    assert.equal(counts, { mentions: 2, discontinuous: 1, discontinuous_notes: 1 })
  })

test('types are kept, and an I of another type begins an entity', () => {
  const { test: part, labels } = read('a\td\t0\tB-X\nb\t-\t2\tI-Y\nc\t-\t4\tB-Y\n')
  const [{ tags, mentions }] = part.items as NerSentence[]
  assert.equal(tags, ['B-X', 'B-Y', 'B-Y'])
  assert.is(mentions?.length, 3)
  assert.equal(labels, ['O', 'B-X', 'I-X', 'B-Y', 'I-Y'])
})

test('a file of them is evaluated as such', () => {
  const folder = folderWith({ 'x.tsv': sample })
  const split = entities.readFile(join(folder, 'x.tsv'), { form: 'words', labels: ['O', 'B', 'I'] })
  assert.is(split.items.length, 2)
  assert.match(split.notes?.join('\n') ?? '', /are discontinuous/)
  assert.throws(
    () => entities.readFile(join(folder, 'x.tsv'), { form: 'words', labels: ['O', 'B-X', 'I-X'] }),
    /x\.tsv:2: found tag "B", expected a label of the model/,
  )
})

test('a broken row and a missing part are refused', () => {
  assert.throws(
    () => read(sample.replace('fever\t-\t34\tB', 'fever\t-\tB'), 'blue'),
    (error: Error) =>
      error instanceof InputError &&
      /Training\.tsv:10: found "fever\\t-\\tB", expected BLUE's/.test(error.message),
  )
  assert.throws(
    () => read(sample, 'words', ['Training.tsv', 'Test.tsv']),
    (error: Error) =>
      error instanceof UserError && /found no dev part, expected devel\.tsv/.test(error.message),
  )
})

test.run()
