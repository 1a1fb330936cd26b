import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../src/error.js'
import { type InferenceScores, inference } from '../../src/tasks/inference.js'
import { folderWith } from '../support/temporary.js'
import { toyTokenizer } from '../support/toy_tokenizer.js'

const test = suite('inference')

const options = { form: 'pairs', seed: 1 }
const read = (files: Record<string, string>) => inference.read(folderWith(files), options)
const line = (sentence1: string, sentence2: string, gold_label: string) =>
  `${JSON.stringify({ gold_label, sentence1, sentence2, pairID: 'p', sentence1_parse: '(ROOT x)' })}\n`
const labels = ['contradiction', 'entailment', 'neutral']
const all = labels.map((label) => line('The patient had fever.', `It is ${label}.`, label)).join('')

test('MedNLI: JSON lines under their released names, undecided pairs left out and counted', () => {
  const {
    train,
    dev,
    test: tested,
    labels: found,
    notes,
    facts,
  } = read({
    'mli_train_v1.jsonl': all + line('a', 'b', '-'),
    'mli_dev_v1.jsonl': all,
    'mli_test_v1.jsonl': line('c', 'd', '-') + all,
  })
  assert.equal(
    [train, dev, tested].map(({ items }) => items.length),
    [3, 3, 3],
  )
  assert.equal(found, labels)
  assert.equal(train.items[0], {
    index: 'p',
    first: 'The patient had fever.',
    second: 'It is contradiction.',
    label: 'contradiction',
    line: 1,
  })
  assert.is(tested.items[0].line, 2)
  assert.is(facts.undecided, 2)
  assert.ok(notes.includes('2 pairs are left out: annotators did not agree (-)'), notes.join('\n'))
})

test('tables with the columns of GLUE, or bare ones', () => {
  const glue = 'index\tsentence1\tsentence2\tlabel\n7\ta\tb\tentailment\n8\ta\tc\tneutral\n'
  const { train } = read({ 'train.tsv': glue, 'dev.tsv': glue, 'test.tsv': glue })
  assert.equal(train.items[1], { index: '8', first: 'a', second: 'c', label: 'neutral', line: 3 })
  const bare = read({ 'train.tsv': 'a\tb\tx\na\tc\ty\n', 'dev.tsv': 'a\tb\tx\n', 'test.tsv': 'a\tb\ty\n' })
  assert.equal(bare.labels, ['x', 'y'])
})

const bad: [name: string, train: string, says: RegExp][] = [
  ['an empty sentence', line('a', ' ', 'neutral'), /train\.jsonl:1: found no second/],
  ['a broken line', `${all}{"sentence1`, /train\.jsonl:4: found .* expected a JSON object on a line/],
  [
    'a missing key',
    '{"sentence1": "a", "gold_label": "x"}\n',
    /train\.jsonl:1: found the keys "sentence1, gold_label", expected the key sentence2/,
  ],
  [
    'undecided pairs alone',
    line('a', 'b', '-'),
    /train\.jsonl: found the label - alone, expected pairs with a label/,
  ],
  ['one label alone', line('a', 'b', 'x'), /found one label alone \(x\)/],
  [
    'a dev label that training lacks',
    line('a', 'b', 'x') + line('a', 'c', 'y'),
    /dev\.jsonl:1: found label "contradiction", expected a label of .*train\.jsonl \(x, y\)/,
  ],
]
for (const [name, train, says] of bad)
  test(`${name} is refused with file and line`, () => {
    assert.throws(
      () => read({ 'train.jsonl': train, 'dev.jsonl': all, 'test.jsonl': all }),
      (error: Error) =>
        error instanceof InputError && (says.test(error.message) || assert.match(error.message, says)),
    )
  })

const context = { form: 'pairs', labels, tokenizer: toyTokenizer(), maxLength: 9, fitted: {} }
const pair = (label?: string) => ({
  first: 'the patient had fever',
  second: 'patients had cough .',
  line: 1,
  ...(label && { label }),
})

test('examples are [CLS] premise [SEP] hypothesis [SEP] with the number of the label', () => {
  const [one, two] = inference.examples([pair('neutral'), pair()], context, false)
  // 4 + 4 pieces into 6: one of the second, then of the first
  assert.equal([...one.ids], [2, 5, 6, 8, 3, 7, 8, 11, 3])
  assert.is(one.second, 5)
  assert.equal([...(one.targets as Int32Array)], [2])
  assert.is(two.targets, undefined)
})

const items = ['neutral', 'neutral', 'entailment', 'contradiction'].map(pair)
const answers = ['neutral', 'entailment', 'entailment', 'contradiction'].map((label) => ({
  label,
  probabilities: [0.25, 0.5, 0.25],
}))

test('accuracy, macro F1 and confusion of a hand-made case; tallies give the same accuracy', () => {
  const scores = inference.score(items, answers, labels) as InferenceScores
  assert.is(scores.accuracy, 3 / 4)
  assert.ok(Math.abs(scores.macro_f1 - (1 + 2 / 3 + 2 / 3) / 3) < 1e-12)
  assert.equal(scores.confusion, [
    [1, 0, 0],
    [0, 1, 0],
    [0, 1, 1],
  ])
  const sum = [0, 0]
  for (const tally of inference.tally(items, answers, labels))
    for (const [k, n] of tally.entries()) sum[k] += n
  assert.is(inference.rate(sum), 3 / 4)
  assert.is(inference.collapsed(scores), undefined)
  assert.equal(inference.rows([scores])[0], ['accuracy', '75.00'])
})

test('one label predicted alone is said to have collapsed', () => {
  const same = items.map(() => answers[1])
  assert.is(inference.collapsed(inference.score(items, same, labels)), 'predicted entailment alone')
})

test('a file to evaluate has labels of the model; undecided pairs are noted', () => {
  const folder = folderWith({ 'a.jsonl': all + line('x', 'y', '-'), 'b.jsonl': line('x', 'y', 'maybe') })
  const split = inference.readFile(`${folder}/a.jsonl`, { form: 'pairs', labels })
  assert.is(split.items.length, 3)
  assert.throws(
    () => inference.readFile(`${folder}/b.jsonl`, { form: 'pairs', labels }),
    /b\.jsonl:1: found label "maybe", expected a label of the model/,
  )
})

test('the head is a choice among the labels, and lines are pairs', () => {
  assert.is(inference.head(labels, 'pairs').problemType, 'single_label_classification')
  assert.throws(
    () => inference.head(['a'], 'pairs'),
    (error: Error) => error instanceof UserError,
  )
  const print = (format: string) => inference.printer({ format, colour: false, entity: '' })
  assert.is(print('text')('a\tb', [], [answers[0]]), 'neutral (0.50)\ta\tb\n')
  assert.is(
    print('jsonl')('a\tb', [], [answers[0]]),
    '{"sentence1":"a","sentence2":"b","label":"neutral","probability":0.5}\n',
  )
})

test.run()
