/** Questions in the forms that SQuAD and BioASQ are released in, divided and checked. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../../src/error.js'
import { findAnswers } from '../../../src/tasks/answers/bioasq.js'
import { answers } from '../../../src/tasks/answers.js'
import { bioasqOwn, bioasqSnippets, manyArticles, squadJson } from '../../support/qa_data.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('reading questions')

const read = (files: Record<string, string>, form = 'auto', seed = 1) =>
  answers.read(folderWith(files), { form, seed })
const readOne = (text: string, form = 'auto', labels = ['start', 'end']) =>
  answers.readFile(join(folderWith({ 'some.json': text }), 'some.json'), { form, labels })

function message(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert.instance(error, UserError)
    return (error as UserError).message.replace(/^\S*\/(?=[^/ ]*[: ])/, '')
  }
  return assert.unreachable('nothing was thrown') as never
}

const one = (context: string, text: string, at?: number) =>
  squadJson([[{ context, qas: [{ id: 'q', question: 'What?', answers: [{ text, at }] }] }]])

test('offsets of files count characters, those of questions UTF-16 units', () => {
  const context = '\ud83e\udda0\ud83e\udda0 e\u0301 virus.'
  const [question] = readOne(one(context, 'virus', 6)).items
  assert.equal(question.passages[0].answers, [{ text: 'virus', start: 8 }])
  assert.is(context.slice(8, 13), 'virus')
})

test('an answer that is not where its offset points is named, not learnt from, not moved, and still right', () => {
  const text = squadJson([
    [
      {
        context: 'fever and cough',
        qas: [
          { id: 'good', question: 'What?', answers: [{ text: 'cough' }] },
          { id: 'bad', question: 'What?', answers: [{ text: 'cough', at: 9 }] },
          { id: 'far', question: 'What?', answers: [{ text: 'cough', at: 900 }] },
          { id: 'half', question: 'What?', answers: [{ text: 'cough', at: 1 }, { text: 'fever' }] },
        ],
      },
    ],
  ])
  const { items, facts, notes } = readOne(text)
  assert.equal(
    items.map(({ passages }) => passages[0].answers.length),
    [1, 0, 0, 1],
  )
  assert.equal(items[1].gold, ['cough'])
  assert.equal(facts?.misplaced, ['bad', 'far', 'half'])
  assert.ok(
    notes?.some((note) => /^3 questions have an answer .*\(bad, far, half\)/.test(note)),
    notes?.join('\n'),
  )
})

test('a file whose offsets count UTF-16 units is not believed', () => {
  const { facts } = readOne(one('\ud83e\udda0 virus', 'virus', 3))
  assert.equal(facts?.misplaced, ['q'])
})

test('questions without an answer are those of SQuAD 2.0', () => {
  const qas = [
    { id: 'a', question: 'What?', answers: [{ text: 'fever' }], impossible: false },
    { id: 'b', question: 'Why?', answers: [], impossible: true },
  ]
  const { items, facts } = readOne(squadJson([[{ context: 'fever', qas }]]))
  assert.equal(
    items.map(({ gold }) => gold),
    [['fever'], []],
  )
  assert.is(facts?.without_answer, 1)
})

test('files by their usual names are the parts', () => {
  const { train, dev, test, notes } = read({
    'train-v1.1.json': manyArticles(3, 'a'),
    'dev-v1.1.json': manyArticles(2, 'b'),
    'test-v1.1.json': manyArticles(1, 'c'),
    'readme.txt': '',
  })
  assert.equal(
    [train, dev, test].map(({ items }) => items.length),
    [3, 2, 1],
  )
  assert.match(test.path, /test-v1\.1\.json$/)
  assert.not.ok(notes.some((note) => /held|drawn/.test(note)))
})

test('without a test file the dev file is it, and dev is held out from train by whole articles', () => {
  const articles = Array.from({ length: 12 }, (_, a) => [
    {
      context: `fever ${a}`,
      qas: [0, 1, 2].map((q) => ({ id: `${a}-${q}`, question: 'What?', answers: [{ text: 'fever' }] })),
    },
  ])
  const data = read({ 'train.json': squadJson(articles), 'dev.json': manyArticles(2) })
  assert.equal(
    [data.train, data.dev, data.test].map(({ items }) => items.length),
    [33, 3, 2],
  )
  assert.is(new Set(data.dev.items.map(({ id }) => id.split('-')[0])).size, 1)
  assert.match(data.test.path, /dev\.json$/)
  assert.match(data.dev.path, /train\.json$/)
  assert.ok(data.notes.some((note) => /^test: the dev file/.test(note)))
  assert.is(data.facts.held_out, 'dev')
})

test('one file is divided 80, 10 and 10 by articles, by the seed', () => {
  const ids = (seed: number) => {
    const { train, dev, test } = read({ 'all.json': manyArticles(50) }, 'auto', seed)
    return [train, dev, test].map(({ items }) => items.map(({ id }) => id))
  }
  const first = ids(1)
  assert.equal(
    first.map((some) => some.length),
    [40, 5, 5],
  )
  assert.is(new Set(first.flat()).size, 50)
  assert.equal(ids(1), first)
  assert.not.equal(ids(2), first)
})

test("BioASQ's snippets come together, with the synonyms of BioASQ's own file", () => {
  const { train, dev, test, labels, facts } = read({
    'BioASQ-train-factoid-6b.json': bioasqSnippets(true),
    'BioASQ-test-factoid-6b-1.json': bioasqSnippets(false),
    '6B1_golden.json': bioasqOwn(),
  })
  assert.equal(labels, ['start', 'end'])
  assert.is(facts.questions_are, 'bioasq')
  assert.is(train.items.length + dev.items.length, 2)
  assert.equal(
    test.items.map(({ id, passages }) => [id, passages.length]),
    [
      ['55a1', 2],
      ['55b2', 1],
    ],
  )
  assert.equal(test.items[0].gold, ['CFTR', 'ABCC7', 'cystic fibrosis transmembrane conductance regulator'])
  const own = [...train.items, ...dev.items].find(({ id }) => id === '55a1')
  assert.equal(own?.gold, ['CFTR', 'ABCC7'])
  assert.equal(
    own?.passages.map(({ answers: [answer] }) => answer.text),
    ['CFTR', 'ABCC7'],
  )
})

test("in BioASQ's own file answers are looked for in the snippets, and counted where they are not", () => {
  const { items, facts, notes } = readOne(bioasqOwn())
  assert.equal(
    items.map(({ id }) => id),
    ['55a1', '55b2'],
  )
  assert.equal(
    items[0].passages.map(({ answers }) => answers),
    [[{ text: 'cftr', start: 4 }], []],
  )
  assert.equal(facts?.unfound, ['55b2'])
  assert.is(facts?.left_out, 4)
  assert.ok(notes?.some((note) => /^1 questions have their answer in none/.test(note)))
})

test('answers are found as words, in any case, whatever signs they have, over line breaks too', () => {
  const context = 'An IL-2 (p53+) gene;\nalpha  Beta c.1A>G'
  const found = (text: string) => findAnswers(context, [text]).map(({ text, start }) => [text, start])
  assert.equal(found('il-2'), [['IL-2', 3]])
  assert.equal(found('(p53+)'), [['(p53+)', 8]])
  assert.equal(found('alpha beta'), [['alpha  Beta', 21]])
  assert.equal(found('c.1A>G'), [['c.1A>G', 33]])
  assert.equal(found('gen'), [])
})

test('yes and no are questions of their own form, of BioASQ and of BLURB', () => {
  const { items } = readOne(bioasqOwn(), 'auto', ['yes', 'no'])
  assert.equal(
    items.map(({ id, gold, passages }) => [id, gold, passages.length]),
    [
      ['55c3', ['yes'], 1],
      ['55d4', ['no'], 2],
    ],
  )
  const lines = ['yes', 'no', 'yes', 'no'].map((label, i) =>
    JSON.stringify({ id: `b${i}`, sentence1: `Is it ${i}?`, sentence2: 'It is.', label }),
  )
  const data = read({
    'train.json': lines.join('\n'),
    'dev.json': lines.join('\n'),
    'test.json': lines.join('\n'),
  })
  assert.equal(data.labels, ['yes', 'no'])
  assert.equal(
    data.train.items.map(({ gold }) => gold?.[0]),
    ['yes', 'no', 'yes', 'no'],
  )
})

test('what is wrong with a file is said with file, line or place, found and expected', () => {
  const qa = (text: string) => `{"data": [{"paragraphs": [{"context": "fever", "qas": [${text}]}]}]}`
  const cases: [string, string | RegExp][] = [
    [
      '{\n "data": [\n  oops\n]}',
      /^some\.json:3: found "oops.*where JSON cannot have it, expected JSON of SQuAD/,
    ],
    ['{"data": [\n{"title": "a\\u00e9\\x"}\n]}', /^some\.json:2: found "\\"a/],
    ['{"data": [1 2]}', /^some\.json:1: found "2\]\}" where/],
    ['{"data": 01}\n', /^some\.json:1: found "01\}" where/],
    ['{"data": []}\n\n}', /^some\.json:3: found "\}" where/],
    ['{"data": [\n\n', /^some\.json:1: found the end where JSON cannot have it/],
    ['', /^some\.json:1: found nothing where/],
    ['[]', /^some\.json: found neither data nor questions, expected/],
    ['{"data": 7}', 'some.json: found data 7, expected a list'],
    ['{"data": [{"title": "x"}]}', 'some.json: found no data[0].paragraphs, expected a list'],
    ['{"data": []}', 'some.json: found no question, expected qas with questions'],
    [
      qa('{"id": "a", "answers": []}'),
      'some.json: found no data[0].paragraphs[0].qas[0].question, expected text',
    ],
    [
      qa('{"id": "a", "question": "?", "answers": [{"text": "fever", "answer_start": -1}]}'),
      'some.json: found data[0].paragraphs[0].qas[0].answers[0].answer_start -1, expected a whole number from 0',
    ],
    [
      qa('{"id": "a", "question": "?", "answers": [{"text": " ", "answer_start": 0}]}'),
      'some.json: found data[0].paragraphs[0].qas[0].answers[0].text " ", expected the text of an answer',
    ],
    [
      qa(
        '{"id": "a", "question": "?", "is_impossible": true, "answers": [{"text": "fever", "answer_start": 0}]}',
      ),
      'some.json: found data[0].paragraphs[0].qas[0].answers a list, expected an empty list where is_impossible is true',
    ],
    [
      qa(
        '{"id": "a", "question": "?", "answers": [{"text": "fever", "answer_start": 0}]}, {"id": "a", "question": "?"}',
      ),
      'some.json: found data[0].paragraphs[0].qas[1].id "a", expected an id that no other question has',
    ],
    [qa('{"id": "a", "question": "?"}'), 'some.json: found question a without an answer, expected answers'],
    [
      '{"questions": [{"id": "a", "type": "factoid", "body": "?", "exact_answer": [[]], "snippets": [{"text": "x"}]}]}',
      'some.json: found questions[0].exact_answer a list, expected an answer',
    ],
  ]
  for (const [text, expected] of cases) {
    const said = message(() => readOne(text))
    if (typeof expected === 'string') assert.is(said, expected)
    else assert.match(said, expected)
  }
  const lines =
    '{"id": 1, "sentence1": "?", "sentence2": "x", "label": "yes"}\n\n{"id": 2, "sentence1": "?", "sentence2": "x", "label": "maybe"}\n'
  assert.is(
    message(() => readOne(lines, 'yesno', ['yes', 'no'])),
    'some.json:3: found label "maybe", expected yes or no',
  )
  assert.match(
    message(() => readOne(`${lines.slice(0, 70)}\n{oops`, 'yesno', ['yes', 'no'])),
    /^some\.json:\d+: found .*where JSON/,
  )
})

test('folders that cannot be divided are refused by name', () => {
  assert.match(
    message(() => read({})),
    /found no JSON file, expected train\*\.json/,
  )
  assert.match(
    message(() => read({ 'a.json': '{}', 'b.json': '{}' })),
    /found a\.json, b\.json and no file for training/,
  )
  assert.match(
    message(() => read({ 'dev.json': manyArticles(3) })),
    /no file for training/,
  )
  assert.match(
    message(() => read({ 'all.json': manyArticles(2) })),
    /found 2 texts .* hold 2 parts out/,
  )
  assert.match(
    message(() => answers.read('/none/such', { form: 'auto', seed: 1 })),
    /found no folder/,
  )
  assert.match(
    message(() => answers.read(folderWith({}), { form: 'auto', seed: 1, fold: 2 })),
    /has no folds/,
  )
  const twice = {
    'train-1.json': manyArticles(3),
    'train-2.json': manyArticles(3),
    'test.json': manyArticles(1),
  }
  assert.match(
    message(() => read(twice)),
    /found two questions q0, expected one/,
  )
  const without = { 'train.json': bioasqSnippets(true), 'test.json': bioasqSnippets(false) }
  assert.match(
    message(() => read(without)),
    /question 55a1 without an answer, .*BioASQ's own \(questions\) beside it/,
  )
  assert.match(
    message(() => readOne(manyArticles(2), 'auto', ['yes', 'no'])),
    /no question of the form yesno/,
  )
})

test('errors about files are errors of input', () => {
  assert.throws(
    () => readOne('{"data": 7}'),
    (error: unknown) => error instanceof InputError,
  )
})

test.run()
