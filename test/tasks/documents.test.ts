import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../src/error.js'
import type { DocumentScores } from '../../src/tasks/documents/scores.js'
import { documents } from '../../src/tasks/documents.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { folderWith } from '../support/temporary.js'
import { toyTokenizer } from '../support/toy_tokenizer.js'

const test = suite('documents')

const read = (files: Record<string, string>, form = 'document') =>
  documents.read(folderWith(files), { form, seed: 1 })
const header = 'index\ttext\tlabels\n'
const three = (text: string, suffix = '') =>
  Object.fromEntries(['train', 'dev', 'test'].map((part) => [`${part}${suffix}.tsv`, text]))
const multi = `${header}1\tone\ta,b\n2\ttwo\t\n3\tthree\tb\n`

test('labels stand with commas between, none where the cell is empty', () => {
  const data = read(three(multi))
  assert.equal(data.train.items, [
    { index: '1', text: 'one', labels: ['a', 'b'], line: 2 },
    { index: '2', text: 'two', labels: [], line: 3 },
    { index: '3', text: 'three', labels: ['b'], line: 4 },
  ])
  assert.equal(data.labels, ['a', 'b'])
  assert.equal(data.facts.form, 'document')
  assert.equal(data.facts.without_label, { train: 1, dev: 1, test: 1 })
})

test('sentences carry the document that their index names', () => {
  const sentences = `${header}7_s0\tone\ta\n7_s1\ttwo\t\n8_s0\tthree\tb,a\n`
  const { train, labels } = read({ ...three(multi), ...three(sentences, '_sentences') }, 'sentence')
  assert.equal(
    train.items.map(({ document, labels: own }) => [document, own]),
    [
      ['7', ['a']],
      ['7', []],
      ['8', ['b', 'a']],
    ],
  )
  assert.equal(labels, ['a', 'b'])
})

test("BLUE's labels say of every name whether it applies", () => {
  const { train, labels } = read(
    three('labels\tsentence\tindex\na_0,b x_1,c_1\tone\t1\na_0,b x_0,c_0\ttwo\t2\na_1,b x_0,c_0\tx\t3\n'),
  )
  assert.equal(
    train.items.map((item) => item.labels),
    [['b x', 'c'], [], ['a']],
  )
  assert.equal(labels, ['a', 'b x', 'c'])
})

test('data with exactly one label each turn out to be a choice among classes', () => {
  const single = `${header}1\tone\tyes\n2\ttwo\tno\n`
  const data = read(three(single)) as ReturnType<typeof read> & { form: string }
  assert.is(data.form, 'single')
  assert.is(data.facts.form, 'single')
  assert.equal(data.labels, ['no', 'yes'])
  assert.ok(
    data.notes.some((note) => note.includes('exactly one of 2 labels')),
    data.notes.join('\n'),
  )
  assert.is(
    (
      read({
        ...three(single),
        'test.tsv': multi.replaceAll('a,b', 'yes,no').replace('\tb\n', '\tno\n'),
      }) as typeof data
    ).form,
    'document',
  )
})

const bad: [name: string, files: Record<string, string>, says: RegExp, form?: string][] = [
  [
    'a label twice',
    three(`${header}1\tx\ta,b,a\n`),
    /train\.tsv:2: found labels "a,b,a", expected each label once/,
  ],
  ['an empty text', three(`${header}1\t\ta\n`), /train\.tsv:2: found no text/],
  ['two columns of three', three(`${header}1\tx\n`), /train\.tsv:2: found 2 columns/],
  ['no label at all', three(`${header}1\tx\t\n`), /train\.tsv: found no label, expected labels/],
  [
    'a label that training lacks',
    { ...three(multi), 'test.tsv': `${header}1\tx\ta,z\n` },
    /test\.tsv:2: found label "z", expected a label of .*train\.tsv \(a, b\)/,
  ],
  [
    'a sentence without a document',
    three(`${header}7\tx\ta\n`, '_sentences'),
    /train_sentences\.tsv:2: found index "7", expected <document>_s<number>/,
    'sentence',
  ],
  [
    'several labels for one',
    three(multi),
    /train\.tsv:2: found labels "a,b", expected exactly one label for the form single/,
    'single',
  ],
  [
    'none for one',
    three(`${header}1\tx\ta\n2\ty\t\n`),
    /train\.tsv:3: found no label, expected exactly one/,
    'single',
  ],
]
for (const [name, files, says, form] of bad)
  test(`${name} is refused with file and line`, () => {
    assert.throws(
      () => read(files, form),
      (error: Error) =>
        error instanceof InputError && (says.test(error.message) || assert.match(error.message, says)),
    )
  })

test('the form sentence wants files of sentences, the form document others', () => {
  assert.throws(() => read(three(multi), 'sentence'), /found no train file/)
  assert.throws(() => read(three(multi, '_sentences')), /found no train file/)
})

const labels = ['a', 'b', 'c']
const context = { form: 'document', labels, tokenizer: toyTokenizer(), maxLength: 6, fitted: {} }
const doc = (own?: string[], document?: string) => ({
  text: 'the patient had fever and cough .',
  line: 1,
  ...(own && { labels: own }),
  ...(document && { document }),
})
const logit = (p: number) => Math.log(p / (1 - p))
const rows = (...values: number[][]) => values.map((row) => Float32Array.from(row.map(logit)))

test('examples are cut to the length, with 0 or 1 for each label, or the number of the one', () => {
  const [one, none, unknown] = documents.examples([doc(['c', 'a']), doc([]), doc()], context, false)
  assert.equal([...one.ids], [2, 5, 6, 8, 9, 3])
  assert.ok(one.targets instanceof Float32Array)
  assert.equal([...(one.targets as Float32Array)], [1, 0, 1])
  assert.equal([...(none.targets as Float32Array)], [0, 0, 0])
  assert.is(unknown.targets, undefined)
  const [single] = documents.examples([doc(['b'])], { ...context, form: 'single' }, true)
  assert.ok(single.targets instanceof Int32Array)
  assert.equal([...(single.targets as Int32Array)], [1])
})

test('labels apply where their probability reaches its threshold', () => {
  const items = [doc(), doc()]
  const examples = documents.examples(items, context, false)
  const logits = rows([0.6, 0.4, 0.5], [0.2, 0.3, 0.1])
  const found = (fitted: Record<string, unknown>) =>
    documents.decode(items, examples, logits, { ...context, fitted }).map((answer) => answer.labels)
  assert.equal(found({}), [['a', 'c'], []])
  assert.equal(found({ thresholds: [0.7, 0.25, 0.9] }), [['b'], ['b']])
  assert.throws(() => found({ thresholds: [0.5] }), /found \[0\.5\], expected 3 numbers, one a label/)
})

test('thresholds are those of the best F1 on dev', () => {
  const items = [doc(['a']), doc(['a']), doc([]), doc(['b'])]
  const examples = documents.examples(items, context, false)
  const logits = rows([0.4, 0.1, 0.3], [0.3, 0.2, 0.3], [0.1, 0.9, 0.9], [0.2, 0.95, 0.1])
  const { thresholds } = documents.fit!(items, examples, logits, context) as { thresholds: number[] }
  assert.is(thresholds.length, 3)
  assert.ok(thresholds[0] > 0.2 && thresholds[0] <= 0.3, String(thresholds[0]))
  assert.ok(thresholds[1] > 0.9 && thresholds[1] <= 0.95, String(thresholds[1]))
  assert.is(thresholds[2], 0.5)
  const answers = documents.decode(items, examples, logits, { ...context, fitted: { thresholds } })
  assert.equal(
    answers.map((answer) => answer.labels),
    [['a'], ['a'], ['c'], ['b']],
  )
})

test('thresholds of sentences are chosen by the largest probability of their document', () => {
  // by sentence a has 1 of 4, and the best threshold lies over 0.6; by document both are right from 0.4 on
  const items = [doc([], 'x'), doc(['a'], 'x'), doc([], 'y'), doc([], 'y')]
  const examples = documents.examples(items, context, false)
  const logits = rows([0.45, 0.1, 0.1], [0.4, 0.1, 0.1], [0.2, 0.1, 0.1], [0.1, 0.1, 0.1])
  const { thresholds } = documents.fit!(items, examples, logits, { ...context, form: 'sentence' }) as {
    thresholds: number[]
  }
  assert.ok(thresholds[0] > 0.2 && thresholds[0] <= 0.45, String(thresholds[0]))
})

const answer = (...own: string[]) => ({ labels: own, probabilities: [0.1, 0.2, 0.3], single: false })

test('micro, macro and example-based F1 of a hand-made case', () => {
  const items = [doc(['a', 'b']), doc(['a']), doc([]), doc(['c'])]
  const answers = [answer('a'), answer('a', 'b'), answer('b'), answer()]
  const scores = documents.score(items, answers, labels) as DocumentScores
  // right: a, a; predicted 4; gold 4
  assert.equal([scores.correct, scores.predicted, scores.gold], [2, 4, 4])
  assert.is(scores.f1, 0.5)
  // a: 2 of 2 and 2; b: 0 of 2 and 1; c: 0 of 0 and 1
  assert.ok(Math.abs(scores.macro_f1 - 1 / 3) < 1e-12)
  // documents with a label: P (1 + 1/2 + 0) / 3, R (1/2 + 1 + 0) / 3
  assert.ok(Math.abs(scores.example_f1 - 0.5) < 1e-12)
  assert.is(scores.accuracy, 0)
  // without the third: right 2, predicted 3, gold 4
  assert.equal([scores.labelled_only.documents, scores.labelled_only.f1], [3, 4 / 7])
  const sum = [0, 0, 0]
  for (const tally of documents.tally(items, answers, labels))
    for (const [k, n] of tally.entries()) sum[k] += n
  assert.equal(sum, [2, 4, 4])
  assert.is(documents.rate(sum), 0.5)
  assert.is(documents.collapsed(scores), undefined)
})

test('sentences are scored by document, with the labels of all of them together', () => {
  const items = [doc(['a'], 'x'), doc(['b'], 'y'), doc([], 'x'), doc(['b'], 'y')]
  const answers = [answer(), answer('b'), answer('a'), answer('c')]
  const scores = documents.score(items, answers, labels) as DocumentScores
  assert.equal([scores.items, scores.documents], [4, 2])
  assert.equal([scores.correct, scores.predicted, scores.gold], [2, 3, 2])
  assert.equal(documents.tally(items, answers, labels), [
    [1, 1, 1],
    [1, 2, 1],
  ])
})

test('a choice among classes: micro F1 is the accuracy', () => {
  const form = { ...context, form: 'single' }
  const items = [doc(['a']), doc(['b']), doc(['b'])]
  const examples = documents.examples(items, form, false)
  const answers = documents.decode(
    items,
    examples,
    [Float32Array.of(2, 0, 0), Float32Array.of(1, 0, 0), Float32Array.of(0, 3, 0)],
    form,
  )
  assert.ok(Math.abs(answers[0].probabilities.reduce((a, b) => a + b) - 1) < 1e-12)
  const scores = documents.score(items, answers, labels) as DocumentScores
  assert.ok(Math.abs(scores.f1 - 2 / 3) < 1e-12)
  assert.is(scores.accuracy, 2 / 3)
  assert.equal(scores.confusion, [
    [1, 0, 0],
    [1, 1, 0],
    [0, 0, 0],
  ])
  assert.equal(documents.rows([scores])[0], ['accuracy (the micro F1 of one label each)', '66.67'])
  assert.equal(documents.fit!(items, examples, [], form), {})
})

test('no label, or the same ones for every document, is said to have collapsed', () => {
  const items = [doc(['a']), doc([])]
  const scored = (...own: string[]) => documents.score(items, [answer(...own), answer(...own)], labels)
  assert.is(documents.collapsed(scored()), 'predicted no label')
  assert.is(documents.collapsed(scored('a', 'b')), 'predicted a, b for every document')
})

test('the head follows the form', () => {
  assert.is(documents.head(labels, 'document').problemType, 'multi_label_classification')
  assert.is(documents.head(['a'], 'sentence').problemType, 'multi_label_classification')
  assert.is(documents.head(labels, 'single').problemType, 'single_label_classification')
  for (const [few, form] of [
    [['a'], 'single'],
    [[], 'document'],
    [['a', 'a'], 'document'],
    [labels, 'word'],
  ] as const)
    assert.throws(
      () => documents.head(few, form),
      (error: Error) => error instanceof UserError,
    )
})

test('the head takes the targets of the examples', () => {
  const inputs = (form: string) => {
    const examples = documents.examples([doc(['c']), doc(['a'])], { ...context, form }, true)
    const head = documents.head(labels, form)
    return [head.inputs(examples, true, 6).targets, head.weight(examples[0])]
  }
  assert.equal(inputs('document'), [Float32Array.of(0, 0, 1, 1, 0, 0), 3])
  assert.equal(inputs('single'), [Int32Array.of(2, 0), 1])
})

test('predictions are a table, lines are documents', () => {
  const items = [{ ...doc(['a', 'b']), index: '12' }, doc()]
  assert.is(
    documents.predictions(items, [answer('a', 'c'), answer()], { labels }).text,
    'index\tgold\tpredicted\tp(a)\tp(b)\tp(c)\ttext\n' +
      '12\ta,b\ta,c\t0.1000\t0.2000\t0.3000\tthe patient had fever and cough .\n' +
      '2\t\t\t0.1000\t0.2000\t0.3000\tthe patient had fever and cough .\n',
  )
  assert.equal(documents.parse('text', { file: 'f', line: 9 }), [{ text: 'text', line: 9 }])
  const print = (format: string) => documents.printer({ format, colour: false, entity: '' })
  assert.is(print('text')('x', [], [answer('a', 'c')]), 'a, c\tx\n')
  assert.is(print('text')('x', [], [answer()]), '-\tx\n')
  assert.is(
    print('jsonl')('x', [], [answer('a')]),
    '{"text":"x","labels":["a"],"probabilities":[0.1,0.2,0.3]}\n',
  )
})

test('a model of sentences is asked by sentence and answers by document', () => {
  const line = 'First one. Second one.'
  const context = { form: 'sentence', labels }
  const items = documents.parse(line, { file: 'f', line: 9 }, context)
  assert.equal(items, [
    { text: 'First one.', document: 'line 9', line: 9 },
    { text: 'Second one.', document: 'line 9', line: 9 },
  ])
  assert.equal(documents.parse(' ', { file: 'f', line: 9 }, context), [])
  assert.is(documents.parse(line, { file: 'f', line: 9 }, { ...context, form: 'document' }).length, 1)
  const answers = [
    { labels: ['c'], probabilities: [0.1, 0.2, 0.9], single: false },
    { labels: ['a', 'c'], probabilities: [0.7, 0.1, 0.6], single: false },
  ]
  const print = (format: string) => documents.printer({ format, colour: false, entity: '' })
  assert.is(print('text')(line, items, answers), `c, a\t${line}\n`)
  assert.equal(JSON.parse(print('jsonl')(line, items, answers)), {
    text: line,
    labels: ['c', 'a'],
    probabilities: [0.7, 0.2, 0.9],
    sentences: [
      { text: 'First one.', labels: ['c'], probabilities: [0.1, 0.2, 0.9] },
      { text: 'Second one.', labels: ['a', 'c'], probabilities: [0.7, 0.1, 0.6] },
    ],
  })
  assert.is(print('text')('', [], []), '\n')
})

const hoc = sharedFile('doc_cls', 'hoc')
const facts: [form: string, sizes: number[], labelled: number[]][] = [
  ['document', [1303, 183, 366], [1112, 156, 312]],
  ['sentence', [12279, 1775, 3410], [3085, 472, 886]],
]
for (const [form, sizes, labelled] of facts) {
  const name = `Hallmarks of Cancer by ${form} has the counts of its description`
  if (hoc === undefined) skip(test, name, noSharedData)
  else
    test(name, () => {
      const data = documents.read(hoc, { form, seed: 1 })
      const splits = [data.train, data.dev, data.test].map(({ items }) => items)
      assert.equal(
        splits.map(({ length }) => length),
        sizes,
      )
      assert.equal(
        splits.map((items) => items.filter((item) => item.labels?.length).length),
        labelled,
      )
      assert.is(data.labels.length, 10)
      const gold = splits[2].map((item) => ({ labels: item.labels ?? [], probabilities: [], single: false }))
      const scores = documents.score(splits[2], gold, data.labels) as DocumentScores
      assert.equal([scores.documents, scores.f1, scores.labelled_only.documents], [366, 1, 312])
      assert.equal(
        data.labels.map((label) => scores.classes[label].gold),
        [54, 21, 21, 23, 46, 68, 31, 84, 91, 47],
      )
    })
}

test.run()
