/** CHEMDNER's abstracts and annotations, written here in its form. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError } from '../../../src/error.js'
import { entities } from '../../../src/tasks/entities.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('CHEMDNER')

const abstracts =
  '11\tZinc oxide in water\tWe saw \u{1d6fc}-pinene and CuSO4. No 1,2-dichloro or -dibromoethane was.\n22\tNothing here\tNor there.\n'
const annotations = [
  ['11', 'T', '0', '10', 'Zinc oxide', 'SYSTEMATIC'],
  // the first character of the name takes two UTF-16 units
  ['11', 'A', '7', '15', '\u{1d6fc}-pinene', 'TRIVIAL'],
  ['11', 'A', '20', '24', 'CuSO', 'FORMULA'],
  ['11', 'A', '30', '40', 'nowhere', 'FAMILY'],
]
const table = (rows: string[][]) => rows.map((row) => `${row.join('\t')}\n`).join('')
const files = (changed: Record<string, string> = {}) =>
  folderWith({
    ...Object.fromEntries(
      ['training', 'development', 'evaluation'].flatMap((stem) => [
        [`${stem}.abstracts.txt`, abstracts],
        [`${stem}.annotations.txt`, table(annotations)],
      ]),
    ),
    ...changed,
  })
const read = (folder: string, form = 'words') => entities.read(folder, { form, seed: 1 })

test('titles and abstracts are texts of their own, all classes one type', () => {
  const data = read(files())
  assert.is(data.form, 'chemdner')
  assert.equal(data.labels, ['O', 'B', 'I'])
  const rows = data.test.items.map(({ words, tags }) =>
    words.map((word, i) => (tags?.[i] === 'O' ? word : `${word}/${tags?.[i]}`)).join(' '),
  )
  assert.equal(rows, [
    'Zinc/B oxide/I in water',
    'We saw \u{1d6fc}/B -/I pinene/I and CuSO4/B .',
    'No 1 , 2 - dichloro or - dibromoethane was .',
    'Nothing here',
    'Nor there .',
  ])
})

test('what is not as it says is counted and named', () => {
  const { facts, notes } = read(files(), 'chemdner')
  const { test: counts } = facts.mentions as Record<string, Record<string, number>>
  assert.equal([counts.mentions, counts.word_cut, counts.misfit, counts.inexpressible], [4, 1, 1, 2])
  assert.match(notes.join('\n'), /test: 4 mentions in 4 titles and abstracts\n/)
  assert.match(
    notes.join('\n'),
    /test: 1 mentions in 1 titles and abstracts whose offsets do not fit .*\(11 A /,
  )
})

test('one part is evaluated by its file of abstracts', () => {
  const path = join(files(), 'evaluation.abstracts.txt')
  const split = entities.readFile(path, { form: 'words', labels: ['O', 'B', 'I'] })
  assert.is(split.items.length, 5)
  assert.equal((split.facts?.mentions as Record<string, number> | undefined)?.mentions, 4)
})

const bad: [name: string, changed: Record<string, string>, message: RegExp][] = [
  [
    'an abstract without a title',
    { 'training.abstracts.txt': `${abstracts}33\ttitle\n` },
    /training\.abstracts\.txt:3: found 2 columns, expected pmid, title and abstract/,
  ],
  [
    'an annotation of neither title nor abstract',
    { 'training.annotations.txt': table([['11', 'B', '0', '1', 'Z', 'TRIVIAL']]) },
    /training\.annotations\.txt:1: found "11\\tB/,
  ],
  [
    'a mention in an article that is not there',
    { 'training.annotations.txt': table([...annotations, ['44', 'T', '0', '1', 'Z', 'TRIVIAL']]) },
    /training\.annotations\.txt:5: found a mention in 44 T, expected a text of .*training\.abstracts\.txt/,
  ],
]
for (const [name, changed, message] of bad)
  test(`${name} is refused`, () => {
    assert.throws(
      () => read(files(changed)),
      (error: Error) => error instanceof InputError && message.test(error.message),
    )
  })

test('a missing part is refused', () => {
  const folder = folderWith({
    'training.abstracts.txt': abstracts,
    'training.annotations.txt': table(annotations),
  })
  assert.throws(() => read(folder), /development\.annotations\.txt: found no such file/)
})

test.run()
