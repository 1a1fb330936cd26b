import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../src/error.js'
import type { RelationScores } from '../../src/tasks/relations.js'
import { relations } from '../../src/tasks/relations.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { folderWith } from '../support/temporary.js'
import { toyTokenizer } from '../support/toy_tokenizer.js'

const test = suite('relations')

const options = { form: 'text', seed: 1 }
const read = (files: Record<string, string>, more = {}) =>
  relations.read(folderWith(files), { ...options, ...more })
const header = 'index\tsentence\tlabel\n'
const rows = (...labels: string[]) =>
  labels.map((label, i) => `s${i}\tsentence ${label} ${i} @GENE$\t${label}\n`).join('')
const three = (train: string, dev = train, tested = train) => ({
  'train.tsv': train,
  'dev.tsv': dev,
  'test.tsv': tested,
})

test('BLUE and BLURB: index, sentence and label under a header, in any order of columns', () => {
  const { train, labels, facts, notes } = read(
    three(`${header}d1.T1\t@CHEMICAL$ blocks @GENE$ .\tCPR:4\nd2\tno @GENE$\tFalse\n`),
  )
  assert.equal(train.items, [
    { index: 'd1.T1', text: '@CHEMICAL$ blocks @GENE$ .', label: 'CPR:4', line: 2 },
    { index: 'd2', text: 'no @GENE$', label: 'False', line: 3 },
  ])
  assert.equal(labels, ['False', 'CPR:4'])
  assert.equal(facts.negative, ['False'])
  assert.equal(facts.positive, ['CPR:4'])
  assert.ok(notes.includes('negative label False: micro F1 counts CPR:4 alone'), notes.join('\n'))
  const moved = read(three('label\tsentence\nFalse\tno @GENE$\nCPR:4\t@GENE$\n'))
  assert.equal(moved.train.items[0], { text: 'no @GENE$', label: 'False', line: 2 })
})

test('BioBERT: sentence and label without a header; i2b2 as BLUE has it', () => {
  const { train } = read(three('@GENE$ in @DISEASE$\t1\nnot @GENE$\t0\n'))
  assert.equal(train.items[0], { text: '@GENE$ in @DISEASE$', label: '1', line: 1 })
  const i2b2 = read(
    three(
      `${header}0001.T0.T1\tThe patient was given @treatment$ for @problem$ .\tTrAP\n0001.T0.T2\t@test$ showed @problem$ .\tTeRP\n0002.T1.T2\t@problem$ and @problem$ .\tfalse\n`,
    ),
  )
  assert.equal(i2b2.labels, ['false', 'TeRP', 'TrAP'])
  assert.not(i2b2.notes.some((note) => note.includes('neither placeholder')))
})

test('JSON lines have text and label, whatever the file is called', () => {
  const line = (text: string, label: string) => `${JSON.stringify({ text, label, metadata: [] })}\n`
  const file = line('<< a >> binds [[ b ]]', 'AGONIST') + line('<< a >> cuts [[ b ]]', 'INHIBITOR')
  const { train, labels, notes } = read({ 'train.txt': file, 'dev.jsonl': file, 'test.txt': file })
  assert.equal(train.items[1], { text: '<< a >> cuts [[ b ]]', label: 'INHIBITOR', line: 2 })
  assert.equal(labels, ['AGONIST', 'INHIBITOR'])
  assert.ok(notes.includes('no negative label: micro F1 counts all 2 and is the accuracy'), notes.join('\n'))
})

test('a fold without a train file is trained on the tests of the others, a tenth of it held out', () => {
  const fold = (n: number) =>
    Array.from({ length: 20 }, (_, i) => `s${n}.${i}\ttext ${n} ${i} @GENE$\t${i % 2}\n`).join('')
  const files = Object.fromEntries([1, 2, 3].map((n) => [`${n}/test.tsv`, header + fold(n)]))
  const { train, dev, test: tested, facts, notes } = read(files, { fold: 2 })
  assert.is(tested.items.length, 20)
  assert.ok(tested.items.every(({ index }) => index?.startsWith('s2.')))
  assert.is(train.items.length, 36)
  assert.is(dev.items.length, 4)
  assert.is(dev.items.filter(({ label }) => label === '0').length, 2)
  assert.equal([facts.folds, facts.fold, facts.held_out], [3, 2, 4])
  assert.ok(notes[0].startsWith('fold 2 of 3 is the test part, trained on the tests of the other 2'))
  assert.ok(notes[1].startsWith('no dev file: 4 of 40 training sentences are held out'))
})

test('sentences of the test part that training has too are counted', () => {
  const { facts } = read(three(header + rows('a', 'b'), header + rows('a'), header + rows('a', 'b', 'a')))
  assert.is(facts.test_in_train, 2)
})

const bad: [name: string, files: Record<string, string>, says: RegExp, form?: string][] = [
  [
    'a row of another width',
    three(`${header}1\ta\tb\n2\ta\n`),
    /train\.tsv:3: found 2 columns in "2\\ta", expected 3 columns as in line 1/,
  ],
  [
    'a table of five columns',
    three('a\tb\tc\td\te\n'),
    /train\.tsv:1: found 5 columns .*, expected index, sentence and label/,
  ],
  ['an empty sentence', three(`${header}1\t \tx\n`), /train\.tsv:2: found no sentence, expected a sentence/],
  ['an empty label', three(`${header}1\ts\t\n`), /train\.tsv:2: found no label/],
  ['a file without rows', three(header), /train\.tsv: found no example, expected index/],
  ['an empty file', three(''), /train\.tsv: found no example/],
  [
    'one label alone',
    three(`${header}1\ts\tx\n`),
    /train\.tsv: found one label alone \(x\), expected two or more/,
  ],
  [
    'a test label that training lacks',
    three(header + rows('a', 'b'), header + rows('a'), header + rows('b', 'c')),
    /test\.tsv:3: found label "c", expected a label of .*train\.tsv \(a, b\)/,
  ],
  [
    'a JSON object without label',
    three('{"text": "x"}\n'),
    /train\.tsv:1: found the keys "text", expected the key label or relation/,
  ],
  [
    'a JSON label that is no text',
    three('{"text": "x", "label": null}\n'),
    /train\.tsv:1: found "null" as label, expected text or a number/,
  ],
  [
    'marks that are not there',
    three(header + rows('a', 'b')),
    /train\.tsv:2: found a sentence whose pair is not marked/,
    'markers',
  ],
]
for (const [name, files, says, form = 'text'] of bad)
  test(`${name} is refused with file and line`, () => {
    assert.throws(
      () => read(files, { form }),
      (error: Error) =>
        error instanceof InputError && (says.test(error.message) || assert.match(error.message, says)),
    )
  })

const labels = ['false', 'a', 'b']
const tokenizer = toyTokenizer()
const context = { form: 'text', labels, tokenizer, maxLength: 8, fitted: {} }
const item = (label?: string, text = 'patient had fever .') => ({ text, line: 1, ...(label && { label }) })

test('examples are [CLS] sentence [SEP] with the number of the label', () => {
  const [one, two] = relations.examples([item('b'), item()], context, false)
  assert.equal([...one.ids], [2, 6, 8, 9, 15, 3])
  assert.equal([...(one.targets as Int32Array)], [2])
  assert.is(one.second, undefined)
  assert.is(two.targets, undefined)
  assert.is(relations.examples([item(), item('a')], context, true).length, 1)
})

test('forms mark or replace the pair before it is encoded', () => {
  const marked = item('a', '<< fever >> had [[ cough ]] .')
  const as = (form: string) => {
    const [{ ids }] = relations.examples([marked], { ...context, form, maxLength: 64 }, false)
    return ids.filter((id) => id >= 5 && id <= 15).join(' ')
  }
  assert.is(as('text'), '9 8 11 15')
  assert.is(as('markers'), '9 8 11 15')
  assert.is(as('placeholders'), '8 15')
})

test('the largest logit is the answer, its probability beside it', () => {
  const items = [item('a'), item('b')]
  const examples = relations.examples(items, context, false)
  const answers = relations.decode(
    items,
    examples,
    [Float32Array.of(0, 2, 0), Float32Array.of(1, 1, 1)],
    context,
  )
  assert.equal(
    answers.map(({ label }) => label),
    ['a', 'false'],
  )
  assert.ok(Math.abs(answers[0].probabilities[1] - Math.exp(2) / (Math.exp(2) + 2)) < 1e-12)
  assert.ok(answers[1].probabilities.every((p) => Math.abs(p - 1 / 3) < 1e-12))
})

const gold = ['false', 'false', 'a', 'a', 'b', 'b', 'b'].map((label) => item(label))
const answers = ['false', 'a', 'a', 'b', 'b', 'false', 'b'].map((label) => ({
  label,
  probabilities: [0.2, 0.3, 0.5],
}))

test('micro F1 counts the labels that are not negative', () => {
  // a: 1 right of 2 found and 2 gold; b: 2 of 3 and 3
  const scores = relations.score(gold, answers, labels) as RelationScores
  assert.equal([scores.correct, scores.predicted, scores.gold], [3, 5, 5])
  assert.is(scores.f1, 3 / 5)
  assert.is(scores.accuracy, 4 / 7)
  assert.ok(Math.abs(scores.macro_f1 - (1 / 2 + 2 / 3) / 2) < 1e-12)
  assert.ok(Math.abs(scores.macro_f1_all - (1 / 2 + 1 / 2 + 2 / 3) / 3) < 1e-12)
  assert.equal(scores.confusion, [
    [1, 1, 0],
    [0, 1, 1],
    [1, 0, 2],
  ])
  assert.is(relations.collapsed(scores), undefined)
})

test('tallies of sentences add up to the same micro F1', () => {
  const sum = [0, 0, 0]
  for (const tally of relations.tally(gold, answers, labels))
    for (const [k, n] of tally.entries()) sum[k] += n
  assert.equal(sum, [3, 5, 5])
  assert.is(relations.rate(sum), 3 / 5)
})

test('without a negative label micro F1 is the accuracy, and the rows say over what it is', () => {
  const two = ['x', 'y']
  const scores = relations.score(
    [item('x'), item('y')],
    [
      { label: 'x', probabilities: [] },
      { label: 'x', probabilities: [] },
    ],
    two,
  )
  assert.is((scores as RelationScores).f1, 0.5)
  assert.is(relations.collapsed(scores), 'predicted x alone')
  assert.equal(relations.rows([scores])[2], ['micro F1 over them', '50.00'])
  assert.equal(relations.rows([scores])[0][0], 'micro precision over all 2 labels')
  assert.match(
    relations.rows([relations.score(gold, answers, labels)])[0][0],
    /over 2 of 3 labels, not false/,
  )
})

test('the head is a choice among the labels; none, one or equal ones are refused', () => {
  assert.is(relations.head(labels, 'text').problemType, 'single_label_classification')
  for (const few of [['a'], ['a', 'a']])
    assert.throws(
      () => relations.head(few, 'text'),
      (error: Error) => error instanceof UserError && /expected two or more/.test(error.message),
    )
  assert.throws(() => relations.head(labels, 'words'), /form words: expected text, placeholders, markers/)
})

test('a file to evaluate has labels of the model', () => {
  const folder = folderWith({ 'a.tsv': header + rows('a', 'b', 'd') })
  assert.throws(
    () => relations.readFile(`${folder}/a.tsv`, { form: 'text', labels }),
    /a\.tsv:4: found label "d", expected a label of the model \(false, a, b\)/,
  )
})

test('predictions are a table: index or number, gold, predicted, probabilities', () => {
  const items = [{ ...item('a'), index: 'd1' }, item()]
  const { extension, text } = relations.predictions(items, answers.slice(0, 2), { labels })
  assert.is(extension, 'tsv')
  assert.is(
    text,
    'index\tgold\tpredicted\tp(false)\tp(a)\tp(b)\tsentence\n' +
      'd1\ta\tfalse\t0.2000\t0.3000\t0.5000\tpatient had fever .\n' +
      '2\t\ta\t0.2000\t0.3000\t0.5000\tpatient had fever .\n',
  )
})

test('a line is one sentence, printed with its label or as JSON', () => {
  const place = { file: 'f', line: 3 }
  assert.equal(relations.parse('@GENE$ x', place), [{ text: '@GENE$ x', line: 3 }])
  assert.equal(relations.parse('  ', place), [])
  const print = (format: string, colour = false) => relations.printer({ format, colour, entity: '' })
  const [answer] = answers
  assert.is(print('text')('a\u001bb', [], [answer]), 'false (0.50)\ta\ufffdb\n')
  assert.is(print('text')('', [], []), '\n')
  assert.is(print('text', true)('x', [], [answer]), '\u001b[1mfalse\u001b[0m (0.50)\tx\n')
  assert.is(print('jsonl')('x', [], [answer]), '{"text":"x","label":"false","probability":0.5}\n')
  assert.is(print('jsonl')('', [], []), '{"text":"","label":null}\n')
})

const shared: [
  folder: string,
  fold: number | undefined,
  sizes: number[],
  counts: Record<string, number[]>,
][] = [
  ['chemprot', undefined, [4169, 2427, 3469], {}],
  [
    'chemprot-5class',
    undefined,
    [16521, 10361, 14396],
    {
      False: [12389, 7949, 10955],
      'CPR:3': [761, 548, 664],
      'CPR:4': [2251, 1093, 1658],
      'CPR:5': [172, 115, 183],
      'CPR:6': [235, 199, 292],
      'CPR:9': [713, 457, 644],
    },
  ],
  [
    'ddi2013',
    undefined,
    [25296, 2496, 5716],
    {
      'DDI-false': [21744, 2027, 4737],
      'DDI-effect': [1486, 201, 360],
      'DDI-mechanism': [1163, 156, 302],
      'DDI-advise': [725, 101, 221],
      'DDI-int': [178, 11, 96],
    },
  ],
  ['GAD', 1, [4796, 0, 534], {}],
  ['GAD', 7, [4797, 0, 533], {}],
]
for (const [folder, fold, [train, dev, tested], counts] of shared) {
  const name = `${folder}${fold === undefined ? '' : ` fold ${fold}`} has the examples of its description`
  const path = sharedFile('re', folder)
  if (path === undefined) {
    skip(test, name, noSharedData)
    continue
  }
  test(name, () => {
    const data = relations.read(path, { ...options, fold })
    const splits = [data.train, data.dev, data.test].map(({ items }) => items)
    if (fold === undefined)
      assert.equal(
        splits.map(({ length }) => length),
        [train, dev, tested],
      )
    else {
      assert.equal([splits[0].length + splits[1].length, splits[2].length], [train, tested])
      assert.ok(splits[1].length > 430 && splits[1].length < 530, `${splits[1].length} held out`)
      assert.equal([data.labels, data.facts.positive, data.facts.folds], [['0', '1'], ['1'], 10])
    }
    if (folder === 'chemprot') assert.equal([data.labels.length, data.facts.negative], [13, []])
    for (const [label, want] of Object.entries(counts))
      assert.equal(
        splits.map((items) => items.filter((one) => one.label === label).length),
        want,
        label,
      )
  })
}

test.run()
