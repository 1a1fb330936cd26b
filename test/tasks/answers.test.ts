/** The task of answers as the loops see it: labels, scores, tallies, files, and COVID-QA as it is released. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { importVocabulary } from '../../src/data/tokenizer/vocabulary_import.js'
import { InputError } from '../../src/error.js'
import { spanHead } from '../../src/model/question_answering.js'
import { classHead } from '../../src/model/sequence_classification.js'
import type { Answer, Question } from '../../src/tasks/answers/question.js'
import type { WindowExample } from '../../src/tasks/answers/windows.js'
import { answers } from '../../src/tasks/answers.js'
import { taskNamed } from '../../src/tasks/index.js'
import type { Scores } from '../../src/tasks/task.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'
import { smallTokenizerJson } from '../support/vocabulary.js'

const test = suite('answers')

const spans = ['start', 'end']
const yesNo = ['yes', 'no']
const context = '\ud83e\udda0 The BRCA1 gene, and cough.'

function question(id: string, gold: string[] | undefined, kind: Question['kind'] = 'squad'): Question {
  return { kind, id, question: 'Which?', passages: [{ context, answers: [] }], gold }
}

function answer(...texts: string[]): Answer {
  const nBest = texts.map((text, i) => ({
    text,
    probability: 0.5 / (i + 1),
    passage: 0,
    start: context.indexOf(text),
  }))
  return {
    text: texts[0] ?? '',
    probability: nBest[0]?.probability ?? 0.9,
    nBest,
    noAnswer: texts.length === 0 ? 2 : -2,
  }
}

test('it is on the list under both names', () => {
  assert.is(taskNamed('answers'), taskNamed('qa'))
  for (const name of ['naseem2020', 'naseem2022', 'blurb']) assert.ok(name in answers.settings)
})

test('labels decide the head', () => {
  assert.is(answers.head(spans, 'auto'), spanHead)
  assert.is(answers.head(yesNo, 'auto'), classHead)
  assert.throws(
    () => answers.head(['O', 'B', 'I'], 'auto'),
    /labels O, B, I: expected those of a model for answers/,
  )
})

test("SQuAD's scores are means over questions, those without an answer apart", () => {
  const items = [question('a', ['BRCA1']), question('b', []), question('c', ['cough', 'BRCA1 gene'])]
  const given = [answer('The BRCA1'), answer(), answer('BRCA1')]
  const scores = answers.score(items, given, spans)
  // exact: the article is dropped, '' is right, 'brca1' is neither; F1 of the last: 2 * 1 / (1 + 2)
  assert.is(scores.exact, 2 / 3)
  assert.ok(Math.abs((scores.f1 as number) - (1 + 1 + 2 / 3) / 3) < 1e-12)
  assert.is(scores.score, scores.f1)
  assert.is(scores.measure, 'f1')
  assert.equal([scores.questions, scores.answered, scores.distinct], [3, 2, 2])
  assert.is((scores.no_answer as Scores).f1, 1)
  assert.is((scores.has_answer as Scores).exact, 0.5)
})

test("BioASQ's scores are strict, lenient and by rank; lenient accuracy is the measure", () => {
  const items = ['a', 'b', 'c', 'd'].map((id) => question(id, ['brca1', 'breast cancer 1'], 'bioasq'))
  const given = [
    answer('BRCA1'),
    answer('cough', 'BRCA1'),
    answer('cough', 'gene', 'and', 'The', 'gene,', 'BRCA1'),
    answer('The BRCA1'),
  ]
  const scores = answers.score(items, given, spans)
  assert.equal(
    [scores.strict_accuracy, scores.lenient_accuracy, scores.mrr, scores.score, scores.measure],
    [0.25, 0.5, 1.5 / 4, 0.5, 'lenient_accuracy'],
  )
})

test('yes and no are scored by accuracy and by both classes', () => {
  const items = ['yes', 'yes', 'no', 'no'].map((gold, i) => question(`${i}`, [gold], 'yesno'))
  const given = ['yes', 'no', 'no', 'no'].map((text) => ({ text, probability: 0.7, nBest: [] }))
  const scores = answers.score(items, given, yesNo)
  assert.equal([scores.accuracy, scores.score, scores.measure], [0.75, 0.75, 'accuracy'])
  assert.ok(Math.abs((scores.macro_f1 as number) - (2 / 3 + 4 / 5) / 2) < 1e-12)
})

test('the rate of all tallies is the score, of every kind', () => {
  const cases: [Question[], Answer[], string[]][] = [
    [
      [question('a', ['BRCA1']), question('b', []), question('c', ['BRCA1 gene'])],
      [answer('BRCA1'), answer('cough'), answer('BRCA1')],
      spans,
    ],
    [
      [question('a', ['BRCA1'], 'bioasq'), question('b', ['x'], 'bioasq')],
      [answer('cough', 'BRCA1'), answer('cough')],
      spans,
    ],
    [
      [question('a', ['yes'], 'yesno'), question('b', ['no'], 'yesno')],
      [answer('yes'), answer('yes')],
      yesNo,
    ],
  ]
  for (const [items, given, labels] of cases) {
    const tallies = answers.tally(items, given, labels)
    assert.is(tallies.length, items.length)
    const sum = tallies.reduce((total, tally) => total.map((value, k) => value + tally[k]))
    assert.is(answers.rate(sum), answers.score(items, given, labels)[answers.metric])
  }
})

test('a table has the rows of what was scored', () => {
  const squad = answers.score([question('a', ['BRCA1'])], [answer('BRCA1')], spans)
  const rows = answers.rows([squad, squad])
  assert.equal(rows[0], ['exact match', '100.00', '100.00'])
  assert.equal(
    rows.map(([name]) => name),
    ['exact match', 'word F1', 'questions', 'questions answered'],
  )
  assert.is(answers.short(squad), 'EM 100.00 F1 100.00')
  const bioasq = answers.score([question('a', ['BRCA1'], 'bioasq')], [answer('cough', 'BRCA1')], spans)
  assert.is(answers.short(bioasq), 'strict 0.00 lenient 100.00 MRR 50.00')
  const yes = answers.score([question('a', ['yes'], 'yesno')], [answer('yes')], yesNo)
  assert.is(answers.short(yes), 'accuracy 100.00 macro F1 50.00')
})

test('a model that says nothing, or always the same, is found out', () => {
  const items = [question('a', ['BRCA1']), question('b', ['cough'])]
  const said = (given: Answer[], labels = spans) => answers.collapsed(answers.score(items, given, labels))
  assert.match(said([answer(), answer()]) as string, /no question/)
  assert.match(said([answer('BRCA1'), answer('BRCA1')]) as string, /same answer/)
  assert.is(said([answer('BRCA1'), answer('gene')]), undefined)
  assert.match(said([answer('yes'), answer('yes')], yesNo) as string, /same class/)
})

test("predictions are the files that SQuAD's script and BioASQ read", () => {
  const items = [question('a', ['BRCA1']), question('b', [])]
  const squad = answers.predictions(items, [answer('BRCA1', 'cough'), answer()], { labels: spans })
  assert.is(squad.extension, 'json')
  const read = JSON.parse(squad.text)
  assert.is(read.a, 'BRCA1')
  assert.is(read.b, '')
  // one character stands before, of two UTF-16 units
  assert.equal(read.n_best.a.answers[0], { text: 'BRCA1', probability: 0.5, start: 6, end: 11 })
  assert.is(read.n_best.b.no_answer, 2)

  const factoid = answers.predictions([question('a', ['BRCA1'], 'bioasq')], [answer('BRCA1', 'cough')], {
    labels: spans,
  })
  const { questions } = JSON.parse(factoid.text)
  assert.equal(
    [questions[0].id, questions[0].type, questions[0].exact_answer],
    ['a', 'factoid', [['BRCA1'], ['cough']]],
  )
  const yes = answers.predictions(
    [question('a', ['yes'], 'yesno')],
    [{ text: 'yes', probability: 1, nBest: [] }],
    { labels: yesNo },
  )
  assert.is(JSON.parse(yes.text).questions[0].exact_answer, 'yes')
})

test('a line is a question, a tab and its text', () => {
  const place = { file: 'input', line: 3 }
  const [item, ...more] = answers.parse('Which gene?\tThe BRCA1 gene.', place)
  assert.is(more.length, 0)
  assert.equal([item.question, item.passages[0].context], ['Which gene?', 'The BRCA1 gene.'])
  assert.equal(answers.parse('  ', place), [])
  for (const [line, found] of [
    ['Which gene?', 'no tab'],
    ['a\tb\tc', '2 tabs'],
    ['\tx', 'no question'],
    ['x\t ', 'no text'],
  ])
    assert.throws(
      () => answers.parse(line, place),
      (error: unknown) =>
        error instanceof InputError &&
        error.message === `input:3: found ${found}, expected a question, a tab and a text`,
    )
})

test('what is printed cannot command a terminal, and is a line', () => {
  const items = [question('1', undefined)]
  const options = { colour: false, entity: 'ENTITY' }
  const text = answers.printer({ ...options, format: 'text' })
  assert.is(text('', items, [answer('BRCA1\n\u001b[31m')]), 'BRCA1 \ufffd[31m\t0.5000\n')
  assert.is(text('', items, [answer()]), '\t0.9000\n')
  assert.is(text('', [], []), '\n')
  const json = answers.printer({ ...options, format: 'jsonl' })('', items, [answer('BRCA1')])
  assert.ok(json.endsWith('}\n'))
  assert.equal(JSON.parse(json), {
    question: 'Which?',
    answer: 'BRCA1',
    probability: 0.5,
    n_best: [{ text: 'BRCA1', probability: 0.5, start: 6, end: 11 }],
  })
})

test('yes and no are decoded to the class of the larger logit', () => {
  const tokenizer = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson() }))
  const items = [question('a', ['yes'], 'yesno'), question('b', ['no'], 'yesno')]
  const about = { form: 'yesno', labels: yesNo, tokenizer, maxLength: 64, fitted: {} }
  const examples = answers.examples(items, about, true)
  assert.equal(
    examples.map(({ targets }) => targets?.[0]),
    [0, 1],
  )
  const given = answers.decode(items, examples, [Float32Array.of(2, 1), Float32Array.of(-1, 3)], about)
  assert.equal(
    given.map(({ text }) => text),
    ['yes', 'no'],
  )
  assert.ok(Math.abs(given[0].probability - 1 / (1 + Math.exp(-1))) < 1e-6)
  assert.ok(Math.abs(given[0].nBest[1].probability - 1 / (1 + Math.exp(1))) < 1e-6)
})

const covid = sharedFile('qa', 'covid-qa')
/** With the number of answers whose text is not a run of whole pieces. */
const vocabularies: [string, string | undefined, number][] = [
  ['ALBERT', sharedFile('vocab', 'albert', 'spiece.model'), 31],
  ['bert-base-uncased', sharedFile('vocab', 'bert-base-uncased', 'vocab.txt'), 32],
]

/** Of any text, for comparison: letters and digits alone. */
const bare = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

for (const [name, file, exceptions] of vocabularies) {
  const title = `${name}: COVID-QA has 1,235 questions of 92 articles, each answer learnt from where it stands`
  if (covid === undefined || file === undefined) {
    skip(test, title, noSharedData)
    continue
  }
  test(title, () => {
    const data = answers.read(covid, { form: 'auto', seed: 1 })
    const items = [data.train, data.dev, data.test].flatMap((split) => split.items)
    assert.is(items.length, 1235)
    assert.equal([data.facts.questions, data.facts.articles, data.facts.questions_are], [1235, 92, 'squad'])
    assert.equal(data.facts.misplaced, [])
    const groups = [data.train, data.dev, data.test].map(
      (split) => new Set(split.items.map(({ group }) => group)),
    )
    assert.equal(
      groups.map((some) => some.size),
      [74, 9, 9],
    )
    assert.is(new Set(groups.flatMap((some) => [...some])).size, 92)

    const dir = join(temporaryFolder(), 'v')
    importVocabulary(file, dir)
    const tokenizer = loadTokenizer(dir)
    const about = { form: 'auto', labels: data.labels, tokenizer, maxLength: 384, fitted: {} }
    const examples = answers.examples(items, about, true) as WindowExample[]
    const learnt = new Set<number>()
    const wider = new Map<string, Question>()
    for (const { item, targets, located, second, first } of examples) {
      const [from, to] = targets as Int32Array
      if (to === 0) continue
      const { passages, gold } = items[item]
      const [start, end] = [located.starts[first + from - second], located.ends[first + to - second]]
      const text = passages[0].context.slice(start, end)
      if (bare(text) !== bare((gold as string[])[0])) wider.set(items[item].id, items[item])
      learnt.add(item)
    }
    assert.is(learnt.size, 1235)
    // the others cut a word in two, at one end or the other: `nfluenza, respiratory ...`
    assert.is(wider.size, exceptions)
    for (const [id, { passages }] of wider) {
      const { text, start } = passages[0].answers[0]
      const edges = [start, start + text.length].map((at) => passages[0].context.slice(at - 1, at + 1))
      assert.ok(
        edges.some((edge) => /^[\p{L}\p{N}]{2}$/u.test(edge)),
        `${id}: ${JSON.stringify(edges)}`,
      )
    }
  })
}

test.run()
