/** Ranked answers from logits, against all spans of all windows tried one by one in float64. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { decodeSpans, fitSpans, LONGEST, N_BEST } from '../../../src/tasks/answers/decode.js'
import type { Question } from '../../../src/tasks/answers/question.js'
import { type WindowExample, windowQuestions } from '../../../src/tasks/answers/windows.js'
import { random } from '../../support/random.js'
import { smallUnigram } from '../../support/small_vocabulary.js'
import { folderWith } from '../../support/temporary.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('decoding of answers')

const wordPiece = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson() }))
const unigram = loadTokenizer(smallUnigram())
const squad = (context: string, id = 'q', gold?: string[]): Question => ({
  kind: 'squad',
  id,
  question: 'the patient had',
  passages: [{ context, answers: [] }],
  gold,
})
const windows = (questions: Question[], maxLength = 64, tokenizer = wordPiece) =>
  windowQuestions(questions, { tokenizer, maxLength }, false)

/** Logits that are 0 but for some positions: [position, start, end]. */
function logitsOf(example: WindowExample, ...peaks: [number, number, number][]): Float32Array {
  const logits = new Float32Array(2 * example.ids.length)
  for (const [at, start, end] of peaks) logits.set([start, end], 2 * at)
  return logits
}

/** P(first) P(last) of every span of every window, the best probability of each text; and the least P of [CLS]. */
function bruteForce(
  question: Question,
  examples: readonly WindowExample[],
  logits: readonly Float32Array[],
  longest: number,
) {
  const best = new Map<string, number>()
  let none = 1
  examples.forEach((example, e) => {
    const n = example.ids.length
    const share = (edge: number) => {
      const exps = Array.from({ length: n }, (_, i) => Math.exp(logits[e][2 * i + edge]))
      const sum = exps.reduce((a, b) => a + b, 0)
      return exps.map((value) => value / sum)
    }
    const [start, end] = [share(0), share(1)]
    none = Math.min(none, start[0] * end[0])
    const { located, second, first, passage } = example
    const { context } = question.passages[passage]
    for (let i = second; i < n - 1; i++)
      for (let j = i; j < n - 1 && j < i + longest; j++) {
        const text = context.slice(located.starts[first + i - second], located.ends[first + j - second])
        if (text !== '') best.set(text, Math.max(best.get(text) ?? 0, start[i] * end[j]))
      }
  })
  return { ranked: [...best].sort((a, b) => b[1] - a[1]), none }
}

for (const [name, tokenizer] of [
  ['WordPiece', wordPiece],
  ['unigram', unigram],
] as const) {
  test(`${name}: answers are the best of all spans of all windows`, () => {
    const { integer, normals, pick } = random(3)
    for (let round = 0; round < 30; round++) {
      const words = Array.from(
        { length: integer(1, 60) },
        (_, i) => `${pick(['cough', 'had', 'b-1', 'F\u00e9ver', '\u00bd'])}${i}`,
      )
      const question = squad(words.join(' '))
      const examples = windows([question], integer(20, 90), tokenizer)
      const logits = examples.map(({ ids }) => normals(2 * ids.length, 3))
      const longest = integer(1, 12)
      const [answer] = decodeSpans([question], examples, logits, { longest })
      const { ranked, none } = bruteForce(question, examples, logits, longest)
      assert.is(answer.text, ranked[0][0])
      assert.ok(Math.abs(answer.probability / ranked[0][1] - 1) < 1e-9)
      // equal texts of one window take places there, so that the tail may be another
      const sure = Math.min(5, ranked.length)
      answer.nBest.slice(0, sure).forEach(({ text, probability }, k) => {
        assert.is(text, ranked[k][0])
        assert.ok(Math.abs(probability / ranked[k][1] - 1) < 1e-9)
      })
      assert.ok(answer.nBest.length <= N_BEST)
      assert.ok(Math.abs((answer.noAnswer as number) - Math.log(none / ranked[0][1])) < 1e-6)
    }
  })
}

test('an answer does not end before it begins, begin in the question, or end at [SEP]', () => {
  const question = squad('fever and cough')
  const [example] = windows([question])
  // [CLS] the patient had [SEP] fever and cough [SEP]
  const logits = logitsOf(example, [1, 30, 30], [8, 30, 30], [7, 20, 0], [5, 0, 19], [6, 1, 1])
  const [{ text, nBest }] = decodeSpans([question], [example], [logits], {})
  assert.is(text, 'cough')
  for (const { text: one, start } of nBest)
    assert.is(question.passages[0].context.slice(start, (start as number) + one.length), one)
})

test('an answer is as long as dev says at most', () => {
  const question = squad('fever and cough had fever')
  const [example] = windows([question])
  const logits = logitsOf(example, [5, 9, 0], [9, 0, 9], [6, 3, 0], [7, 0, 2])
  assert.is(decodeSpans([question], [example], [logits], {})[0].text, 'fever and cough had fever')
  assert.is(decodeSpans([question], [example], [logits], { longest: 3 })[0].text, 'fever and cough')
})

test('windows are compared by probability, whatever constant their logits have', () => {
  const question = squad(`cough ${'and '.repeat(20)}fever`)
  const examples = windows([question], 20)
  assert.ok(examples.length > 1)
  const last = examples.length - 1
  const logits = examples.map((example, e) =>
    e === 0
      ? logitsOf(example, [5, 8, 8])
      : e === last
        ? logitsOf(example, [example.ids.length - 2, 4, 4]).map((logit) => logit + 50)
        : logitsOf(example, [0, 9, 9]),
  )
  assert.is(decodeSpans([question], examples, logits, {})[0].text, 'cough')
})

test('a question has no answer where every window says so, by the threshold of dev', () => {
  const questions = [
    squad('fever', 'a', ['fever']),
    squad('cough', 'b', []),
    squad('patients', 'c', ['patients']),
  ]
  const examples = windows(questions)
  const null_ = [1, 7, 3]
  const logits = examples.map((example, e) => logitsOf(example, [0, null_[e], 0], [5, 4, 0]))
  const fitted = fitSpans(questions, examples, logits)
  // differences -3, 3 and -1: answering below 3 is right everywhere
  assert.ok(Math.abs((fitted.no_answer_threshold as number) + 1) < 1e-5, JSON.stringify(fitted))
  const texts = decodeSpans(questions, examples, logits, fitted).map(({ text }) => text)
  assert.equal(texts, ['fever', '', 'patients'])
  const always = decodeSpans(questions, examples, logits, {}).map(({ text }) => text)
  assert.equal(always, ['fever', 'cough', 'patients'])
})

test('where every question has an answer no threshold is learnt', () => {
  const questions = [squad('fever', 'a', ['fever'])]
  const examples = windows(questions)
  assert.equal(fitSpans(questions, examples, [logitsOf(examples[0])]), { longest: LONGEST })
})

test('the longest answer is that of 99 in 100 of dev, at least what run_squad has', () => {
  const context = 'cough '.repeat(60).trim()
  const question = (words: number, id: string): Question => ({
    ...squad(context, id, ['x']),
    passages: [{ context, answers: [{ text: context.slice(0, 6 * words - 1), start: 0 }] }],
  })
  const questions = [...Array.from({ length: 199 }, (_, i) => question(40, `${i}`)), question(59, 'long')]
  const examples = windows(questions, 384)
  const logits = examples.map((example) => logitsOf(example))
  assert.equal(fitSpans(questions, examples, logits), { longest: 40 })
  assert.equal(
    fitSpans(
      questions.slice(150),
      examples.slice(150).map((one) => ({ ...one, item: one.item - 150 })),
      logits.slice(150),
    ),
    { longest: 59 },
  )
})

test('snippets of BioASQ are put together: five texts, each with its best probability, whatever case or article', () => {
  const contexts = ['the cough', 'Cough.', 'fever', 'had', 'treated', 'patients', 'was']
  const question: Question = {
    kind: 'bioasq',
    id: 'q',
    question: 'had',
    passages: contexts.map((context) => ({ context, answers: [] })),
    gold: ['fever'],
  }
  const examples = windows([question])
  // [CLS] had [SEP] the cough [SEP]
  const logits = examples.map((example, e) =>
    logitsOf(example, [3, 9 - e, 9 - e], [4, e === 0 ? 9 : -20, e === 0 ? 9.5 : -20]),
  )
  const [{ text, nBest }] = decodeSpans([question], examples, logits, {})
  assert.is(nBest.length, 5)
  assert.match(text, /cough/i)
  assert.is(nBest.filter((one) => /cough/i.test(one.text)).length, 1)
  // by 1 - 3 exp(-l) each, l falling from 7
  const rest = nBest.slice(1).map((one) => `${one.text} of ${one.passage}`)
  assert.equal(rest, ['fever of 2', 'had of 3', 'treated of 4', 'patients of 5'])
})

test('a text without pieces has no answer', () => {
  const question = squad(' ')
  const examples = windows([question])
  const [{ text, nBest, noAnswer }] = decodeSpans([question], examples, [logitsOf(examples[0])], {})
  assert.equal([text, nBest.length], ['', 0])
  assert.ok(Number.isFinite(noAnswer))
})

test('a question without a window is an error', () => {
  assert.throws(() => decodeSpans([squad('fever', 'lost')], [], [], {}), /question lost has no window/)
})

test.run()
