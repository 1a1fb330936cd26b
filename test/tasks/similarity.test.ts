import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../src/error.js'
import { type SimilarityScores, similarity } from '../../src/tasks/similarity.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { folderWith } from '../support/temporary.js'
import { toyTokenizer } from '../support/toy_tokenizer.js'

const test = suite('similarity')

const options = { form: 'pairs', seed: 1 }
const read = (files: Record<string, string>, more = {}) =>
  similarity.read(folderWith(files), { ...options, ...more })
const three = (text: string) => ({ 'train.tsv': text, 'dev.tsv': text, 'test.tsv': text })
const header = '\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n'

test('STS-B columns are found by their header, a quoted sentence may hold a tab', () => {
  const { train, labels, facts } = read(
    three(
      `${header}0\tG\tF\t1997\t78\tS\tS\tOne: "a"\t"Two \tthree"\t1.4\n1\tG\tF\t1997\t5\tS\tS\ta\tb\t4\n`,
    ),
  )
  assert.equal(train.items, [
    { first: 'One: "a"', second: 'Two \tthree', score: 1.4, line: 2 },
    { first: 'a', second: 'b', score: 4, line: 3 },
  ])
  assert.equal(labels, ['score'])
  assert.equal(facts.range, [1.4, 4])
})

test('MedSTS: two sentences and a score without a header', () => {
  const medsts = 'The patient was seen today.\tPatient seen today.\t4.5\nNo fever.\tHe has a cough.\t0\n'
  const { train, dev, notes } = read({ 'train.txt': medsts.repeat(20), 'test.txt': medsts })
  assert.is(train.items.length + dev.items.length, 40)
  assert.ok(
    notes.some((note) => note.startsWith('no dev file')),
    notes.join('\n'),
  )
  assert.ok(notes.includes('scores from 0 to 4.5, predicted as they stand'), notes.join('\n'))
})

const bad: [name: string, files: Record<string, string>, says: RegExp][] = [
  [
    'a score that is no number',
    three('a\tb\thigh\n'),
    /train\.tsv:1: found "high" as score, expected a number/,
  ],
  ['an empty score', three('a\tb\t1\na\tb\t\n'), /train\.tsv:2: found no score, expected a score/],
  ['an infinite score', three('a\tb\tInfinity\n'), /found "Infinity" as score/],
  ['an empty sentence', three('a\t\t1\n'), /train\.tsv:1: found no second/],
  [
    'two columns',
    three('a\tb\n'),
    /train\.tsv:1: found 2 columns .*, expected columns sentence1, sentence2 and score/,
  ],
]
for (const [name, files, says] of bad)
  test(`${name} is refused with file and line`, () => {
    assert.throws(
      () => read(files),
      (error: Error) =>
        error instanceof InputError && (says.test(error.message) || assert.match(error.message, says)),
    )
  })

const context = { form: 'pairs', labels: ['score'], tokenizer: toyTokenizer(), maxLength: 16, fitted: {} }
const pair = (score?: number) => ({
  first: 'the patient had fever',
  second: 'patients had cough .',
  line: 1,
  ...(score === undefined ? {} : { score }),
})

test('examples are [CLS] a [SEP] b [SEP] with the score as it stands', () => {
  const [one, two] = similarity.examples([pair(3.5), pair()], context, false)
  assert.equal([...one.ids], [2, 5, 6, 8, 9, 3, 7, 8, 11, 15, 3])
  assert.is(one.second, 6)
  assert.ok(one.targets instanceof Float32Array)
  assert.equal([...(one.targets as Float32Array)], [3.5])
  assert.is(two.targets, undefined)
  assert.equal(
    similarity.examples([pair(), pair(0)], context, true).map(({ item }) => item),
    [1],
  )
})

test('the logit is the answer', () => {
  const items = [pair(1), pair(2)]
  const examples = similarity.examples(items, context, false)
  assert.equal(
    similarity.decode(items, examples, [Float32Array.of(-0.5), Float32Array.of(7)], context),
    [-0.5, 7],
  )
})

const items = [0, 1, 2, 3].map((score) => pair(score))

test('Pearson, Spearman and squared error of a hand-made case', () => {
  // gold 0..3, deviations -1.5 -0.5 0.5 1.5; predicted 1 0 2 5, mean 2, deviations -1 -2 0 3: 7 / sqrt(5 * 14); ranks 2 1 3 4
  const scores = similarity.score(items, [1, 0, 2, 5], ['score']) as SimilarityScores
  assert.ok(Math.abs((scores.pearson as number) - 7 / Math.sqrt(70)) < 1e-12)
  assert.ok(Math.abs((scores.spearman as number) - 0.8) < 1e-12)
  assert.is(scores.mse, (1 + 1 + 0 + 4) / 4)
  assert.is(similarity.collapsed(scores), undefined)
  const sum = [0, 0, 0, 0, 0, 0]
  for (const tally of similarity.tally(items, [1, 0, 2, 5], ['score']))
    for (const [k, n] of tally.entries()) sum[k] += n
  assert.ok(Math.abs((similarity.rate(sum) as number) - 7 / Math.sqrt(70)) < 1e-12)
})

test('a constant prediction has no correlation, in words and as null', () => {
  const scores = similarity.score(items, [2, 2, 2, 2], ['score']) as SimilarityScores
  assert.equal([scores.pearson, scores.spearman, scores.constant], [null, null, true])
  assert.is(scores.mse, (4 + 1 + 0 + 1) / 4)
  assert.equal(similarity.rows([scores]).slice(0, 2), [
    ['Pearson correlation', 'none (constant prediction)'],
    ['Spearman rank correlation', 'none (constant prediction)'],
  ])
  assert.is(similarity.collapsed(scores), 'predicted 2.0000 for every pair')
  assert.match(similarity.short(scores), /^Pearson none, constant prediction MSE 1\.5000$/)
  assert.not.match(JSON.stringify(scores), /NaN/)
})

test('tallies of a constant prediction have no rate', () => {
  const sum = [0, 0, 0, 0, 0, 0]
  for (const tally of similarity.tally(items, [2, 2, 2, 2], ['score']))
    for (const [k, n] of tally.entries()) sum[k] += n
  assert.is(similarity.rate(sum), null)
})

test('predictions that hardly differ are said to have collapsed', () => {
  const scores = similarity.score(items, [2, 2.001, 2.002, 2.003], ['score'])
  assert.is(similarity.collapsed(scores), 'predicted 2.0000 to 2.0030 for all pairs')
})

test('predictions that are no numbers give null, not NaN', () => {
  const scores = similarity.score(items, [Number.NaN, 1, 2, 3], ['score']) as SimilarityScores
  assert.equal([scores.pearson, scores.mse, scores.predicted_range], [null, null, null])
  assert.equal(similarity.rows([scores])[2], ['mean squared error', 'none'])
})

test('the head gives one number', () => {
  assert.is(similarity.head(['score'], 'pairs').problemType, 'regression')
  assert.throws(
    () => similarity.head(['a', 'b'], 'pairs'),
    (error: Error) => error instanceof UserError && /expected score alone/.test(error.message),
  )
})

test('a line is two sentences with a tab between them, printed with their number', () => {
  const place = { file: 'f', line: 2 }
  assert.equal(similarity.parse('a b\tc', place), [{ first: 'a b', second: 'c', line: 2 }])
  assert.equal(similarity.parse('', place), [])
  for (const text of ['one sentence', 'a\tb\tc', '\tb'])
    assert.throws(
      () => similarity.parse(text, place),
      /f:2: found .*, expected two sentences, a tab between them/,
    )
  const print = (format: string) => similarity.printer({ format, colour: false, entity: '' })
  assert.is(print('text')('a\tb', [], [3.456]), '3.46\ta\tb\n')
  assert.is(print('jsonl')('a\tb', [], [3.456]), '{"sentence1":"a","sentence2":"b","score":3.456}\n')
  assert.is(
    similarity.predictions(items.slice(0, 2), [1, 2.25], { labels: ['score'] }).text,
    'index\tgold\tpredicted\tsentence1\tsentence2\n' +
      [0, 1]
        .map(
          (i) => `${i + 1}\t${i}\t${['1.0000', '2.2500'][i]}\tthe patient had fever\tpatients had cough .\n`,
        )
        .join(''),
  )
})

const biosses = sharedFile('sts', 'biosses')
if (biosses === undefined) skip(test, 'BIOSSES has 70, 16 and 14 pairs', noSharedData)
else
  test('BIOSSES has 70, 16 and 14 pairs', () => {
    const { train, dev, test: tested, facts } = similarity.read(biosses, options)
    assert.equal(
      [train, dev, tested].map(({ items }) => items.length),
      [70, 16, 14],
    )
    assert.equal(facts.range, [0, 4])
    assert.is(dev.items[0].second.split('\t').length, 2)
    assert.is(dev.items[0].score, 1.4)
  })

test.run()
