/** Several types of entities at once: JNLPBA's five in CoNLL's form, two sets merged; labels, scores, rows, and what is printed. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NerSummary } from '../../../src/tasks/entities/core.js'
import { entities } from '../../../src/tasks/entities.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'
import { type ToySentence, toySentences, tsv } from '../../support/toy_ner.js'
import { toyOptions, toyRun } from '../../support/toy_run.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('several types of entities')

const conll = `-DOCSTART-	O

IL-2	B-DNA
gene	I-DNA
expression	O
requires	O
NF-kappa	B-protein
B	I-protein
mRNA	B-RNA
.	O

-DOCSTART-	O

Jurkat	B-cell_line
T	B-cell_type
cells	I-cell_type
`

const read = (files: Record<string, string>) => entities.read(folderWith(files), { form: 'words', seed: 1 })
const parts = (text: string) => ({ 'train.tsv': text, 'devel.tsv': text, 'test.tsv': text })

test("JNLPBA's five types make eleven labels", () => {
  const { labels, train } = read(parts(conll))
  assert.equal(labels, [
    'O',
    ...['DNA', 'RNA', 'cell_line', 'cell_type', 'protein'].flatMap((type) => [`B-${type}`, `I-${type}`]),
  ])
  assert.equal(
    train.items.map(({ line }) => line),
    [3, 14],
  )
})

test('every type is scored by itself and has a row', () => {
  const { test: part, labels } = read(parts(conll))
  // all right but the protein, whose second word is missed, and the cell line, called a cell type
  const answers = part.items.map(({ tags = [] }) => ({
    tags: tags.map((tag) => (tag === 'I-protein' ? 'O' : tag === 'B-cell_line' ? 'B-cell_type' : tag)),
    scores: new Float32Array(tags.length),
  }))
  const scores = entities.score(part.items, answers, labels) as NerSummary
  const counts = Object.entries(scores.types).map(([type, { gold, predicted, correct }]) => [
    type,
    gold,
    predicted,
    correct,
  ])
  assert.equal(counts, [
    ['DNA', 1, 1, 1],
    ['RNA', 1, 1, 1],
    ['cell_line', 1, 0, 0],
    ['cell_type', 1, 2, 1],
    ['protein', 1, 1, 0],
  ])
  assert.equal(
    entities.rows([scores, scores]).filter(([name]) => /F1 of/.test(name) && name.startsWith('  ')),
    [
      ['  F1 of DNA', '100.00', '100.00'],
      ['  F1 of RNA', '100.00', '100.00'],
      ['  F1 of cell_line', '0.00', '0.00'],
      ['  F1 of cell_type', '66.67', '66.67'],
      ['  F1 of protein', '0.00', '0.00'],
    ],
  )
})

test('one type has no row of its own, nor have sets without types', () => {
  const rows = (text: string) => {
    const { test: part, labels } = read(parts(text))
    const answers = part.items.map(({ tags = [] }) => ({ tags, scores: new Float32Array(tags.length) }))
    return entities.rows([entities.score(part.items, answers, labels)]).map(([name]) => name)
  }
  for (const text of ['fever\tB\nand\tO\n', 'fever\tB-Disease\nand\tO\n'])
    assert.equal(
      rows(text).filter((name) => /F1 of [^BI]|annotated/.test(name)),
      [],
    )
})

/** Fevers and coughs are of types of their own, as in two sets merged into one. */
function merged({ words }: ToySentence): ToySentence {
  const type = new Map([
    ['fever', 'B-Heat'],
    ['cough', 'B-Noise'],
  ])
  return { words, tags: words.map((word) => type.get(word) ?? 'O') }
}

test('two types are learned at once, each with its score', async () => {
  const text = (seed: number, count: number) => tsv(toySentences(seed, count).map(merged))
  const folder = folderWith({
    'v/tokenizer.json': smallTokenizerJson(),
    'd/train.tsv': text(1, 120),
    'd/devel.tsv': text(2, 40),
    'd/test.tsv': text(3, 50),
  })
  const options = toyOptions(folder, { totalSteps: 160, evalEvery: 40 })
  const { test: scores } = await toyRun(options, { out: join(temporaryFolder(), 'o') })
  assert.equal(Object.keys(scores.types), ['Heat', 'Noise'])
  for (const [type, { f1, gold }] of Object.entries(scores.types)) {
    assert.ok(gold > 10)
    assert.ok(f1 > 0.75, `F1 of ${type} is ${f1}`)
  }
})

test('predict prints the type of each', () => {
  const line = 'Severe fever and cough.'
  const items = entities.parse(line, { file: 'f', line: 1 })
  const tags = ['B-Heat', 'I-Heat', 'O', 'B-Noise', 'O']
  const print = (format: string) =>
    entities.printer({ format, colour: false, entity: 'X' })(line, items, [
      { tags, scores: new Float32Array(5) },
    ])
  assert.is(print('text'), '[Severe fever](Heat) and [cough](Noise).\n')
  assert.equal(
    JSON.parse(print('jsonl')).entities.map(({ type }: { type: string }) => type),
    ['Heat', 'Noise'],
  )
  assert.match(print('conll'), /^Severe\tB-Heat\nfever\tI-Heat\n/)
})

// BC4CHEMD as BioBERT and MTL-Bioinformatics-2016 have it: quotation marks, primes and odd spaces are words
const chemd =
  'The\tO\n"\tO\nsol\tO\n"\tO\nof\tO\n2,2\tB\n\'\tI\n-\tI\nbipyridine\tI\n\u2009\tO\n\u00a0\tO\n\u2032\tO\n#\tO\n\n10\tO\n\u200a\tO\n\u03bcM\tO\nCuSO\u2084\tB\n.\tO\n'

test('BC4CHEMD reads as it stands, train_dev.tsv beside its parts is not one of them', () => {
  const stray = 'never\tB\n'
  const { train, dev, labels, facts } = read({
    ...parts(chemd),
    'train_dev.tsv': stray,
    'test_.tsv': stray,
    'devel.tsv.bak': stray,
  })
  assert.equal(labels, ['O', 'B', 'I'])
  assert.is(facts.scheme, 'IOB2')
  assert.equal(
    train.items.map(({ words }) => words.length),
    [13, 5],
  )
  assert.equal(train.items[0].words.slice(1, 4), ['"', 'sol', '"'])
  assert.equal(train.items[0].words.slice(9, 12), ['\u2009', '\u00a0', '\u2032'])
  assert.equal(dev.items, train.items)
})

test('a word of plain blanks alone is refused by line', () => {
  assert.throws(() => read(parts(`${chemd} \tO\n`)), /train\.tsv:20: found " \\tO", no word/)
})

test.run()
