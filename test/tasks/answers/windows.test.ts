/** Windows of texts: what they hold, and that positions lead back to the answer's text, whatever the text is made of. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import type { Passage, Question, Span } from '../../../src/tasks/answers/question.js'
import {
  NULL_WINDOWS,
  OVERLAP,
  QUESTION_PIECES,
  type WindowExample,
  windowQuestions,
  windowSpans,
  yesNoExamples,
} from '../../../src/tasks/answers/windows.js'
import type { PieceTokenizer } from '../../../src/tasks/task.js'
import { random } from '../../support/random.js'
import { smallUnigram } from '../../support/small_vocabulary.js'
import { folderWith } from '../../support/temporary.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('windows of questions')

const wordPiece = loadTokenizer(folderWith({ 'tokenizer.json': smallTokenizerJson() }))
const unigram = loadTokenizer(smallUnigram())

function asked(context: string, answers: Span[], gold?: string[]): Question {
  const passages: Passage[] = [{ context, answers }]
  return {
    kind: 'squad',
    id: 'q',
    question: 'the patient had',
    passages,
    gold: gold ?? answers.map(({ text }) => text),
  }
}

/** The text that targets point at; undefined where they point at [CLS]. */
function pointedAt(example: WindowExample, context: string): string | undefined {
  const [first, last] = example.targets as Int32Array
  if (first === 0 && last === 0) return undefined
  const { located, second, first: offset } = example
  assert.ok(first >= second && first <= last && last < example.ids.length - 1, `${first} to ${last}`)
  return context.slice(located.starts[first - second + offset], located.ends[last - second + offset])
}

const one = (
  question: Question,
  maxLength: number,
  tokenizer: PieceTokenizer = wordPiece,
  training = false,
) => windowQuestions([question], { tokenizer, maxLength }, training)

test('a short text is one window: [CLS] question [SEP] text [SEP], the second segment from the text on', () => {
  const context = 'fever and cough.'
  const [example, ...more] = one(asked(context, [{ text: 'cough', start: 10 }]), 384)
  assert.is(more.length, 0)
  const pieces = [...example.ids].map((id) => wordPiece.pieces[id])
  assert.equal(pieces, ['[CLS]', 'the', 'patient', 'had', '[SEP]', 'fever', 'and', 'cough', '.', '[SEP]'])
  assert.is(example.second, 5)
  assert.equal([...example.scored], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.equal([...(example.targets as Int32Array)], [7, 7])
})

test('a question without an answer points at [CLS], one of which nothing is known at nothing', () => {
  assert.equal([...(one(asked('fever', [], []), 384)[0].targets as Int32Array)], [0, 0])
  assert.is(one({ ...asked('fever', []), gold: undefined }, 384)[0].targets, undefined)
  assert.is(one(asked('fever', [], ['cough']), 384)[0].targets, undefined)
})

test('what cannot be learnt from is left out of training, and of nothing else', () => {
  const misplaced = asked('fever', [], ['cough'])
  assert.is(one(misplaced, 384, wordPiece, true).length, 0)
  assert.is(one(misplaced, 384).length, 1)
  const long = asked('fever '.repeat(100), [{ text: 'fever '.repeat(99).trim(), start: 0 }])
  assert.is(one(long, 64, wordPiece, true).length, 0)
})

test('answers within words are pointed at as finely as pieces go', () => {
  const context = '(b1-treated) patients'
  const [example] = one(asked(context, [{ text: 'treated', start: 4 }]), 384)
  assert.is(pointedAt(example, context), 'treated')
  const [wider] = one(asked(context, [{ text: 'reat', start: 5 }]), 384)
  assert.is(pointedAt(wider, context), 'treated')
})

test('white space around an answer is not part of it', () => {
  const context = ' fever \u00a0 and cough \n'
  const [example] = one(asked(context, [{ text: ' fever \u00a0 ', start: 0 }]), 384)
  assert.is(pointedAt(example, context), 'fever')
})

test('an answer of which normalisation leaves nothing is not learnt from', () => {
  const context = 'fever \u200b cough'
  assert.is(one(asked(context, [{ text: '\u200b', start: 6 }]), 384, wordPiece, true).length, 0)
})

test('of several answers a window takes the first that it has whole', () => {
  const context = `cough ${'and '.repeat(60)}fever`
  const question = asked(context, [
    { text: 'fever', start: context.length - 5 },
    { text: 'cough', start: 0 },
  ])
  const windows = one(question, 40)
  assert.is(pointedAt(windows[0], context), 'cough')
  assert.is(pointedAt(windows[windows.length - 1], context), 'fever')
})

test('questions are cut, so that the text has half of the room at least', () => {
  const question = { ...asked('fever and cough', []), question: 'had '.repeat(500) }
  assert.is(one(question, 384)[0].second, QUESTION_PIECES + 2)
  assert.is(one(question, 21)[0].second, 9 + 2)
  assert.throws(() => one(question, 7), /maxLength is 7/)
  assert.is(one({ ...question, question: '' }, 384)[0].second, 2)
})

test('a text without a piece is a window without text', () => {
  const [example] = one(asked(' \n', [], []), 384)
  assert.equal([...example.ids].map((id) => wordPiece.pieces[id]).slice(-2), ['[SEP]', '[SEP]'])
})

test('windows cover every piece, overlap by 128 or half, and stop at the end', () => {
  for (const [count, room] of [
    [0, 10],
    [1, 10],
    [10, 10],
    [11, 10],
    [1000, 366],
    [494, 366],
    [495, 366],
    [77, 1],
    [300, 5],
  ]) {
    const spans = windowSpans(count, room)
    const step = room - Math.min(OVERLAP, Math.floor(room / 2))
    assert.is(spans[0][0], 0)
    assert.is(spans[spans.length - 1][1], count)
    spans.forEach(([from, to], i) => {
      assert.ok(to - from <= room)
      if (i > 0) assert.is(from - spans[i - 1][0], step)
      if (i < spans.length - 1) assert.ok(to < count)
    })
  }
})

const parts = [
  'cough',
  'Fe\u0301ver',
  'b-1',
  '\u00bd',
  '\ufb01ne',
  '\ud83e\udda0',
  '(had),',
  'a\u0323\u0301\u00df',
  '\u4e2d\u6587',
  'x\u00a0y',
  '\u200b',
  '2,000',
  '\u03a3\u03a3',
]

for (const [name, tokenizer] of [
  ['WordPiece', wordPiece],
  ['unigram', unigram],
] as const) {
  test(`${name}: an answer that fits is whole in some window, and each window points at it or at [CLS]`, () => {
    const { integer, pick } = random(11)
    let whole = 0
    for (let round = 0; round < 150; round++) {
      const words = Array.from({ length: integer(1, 120) }, () => pick(parts))
      const from = integer(0, words.length)
      const to = integer(from + 1, Math.min(words.length, from + 12) + 1)
      const before = words
        .slice(0, from)
        .map((word) => `${word} `)
        .join('')
      const text = words.slice(from, to).join(' ')
      const context = words.join(' ')
      const question = asked(context, [{ text, start: before.length }])
      const maxLength = integer(12, 120)
      const { ids, starts, ends } = tokenizer.encodeOffsets(context)
      // by hand: the pieces that share a unit with the answer
      const own = [...ids.keys()].filter(
        (i) => starts[i] < before.length + text.length && ends[i] > before.length && ends[i] > starts[i],
      )
      const question_ = Math.min(tokenizer.encode(question.question).length, Math.floor((maxLength - 3) / 2))
      const length = own.length === 0 ? 0 : own[own.length - 1] - own[0] + 1
      const fits = length > 0 && length <= maxLength - 3 - question_
      const examples = one(question, maxLength, tokenizer, true)
      assert.is(examples.length > 0, fits, JSON.stringify([context, text, maxLength]))
      const wanted = own.length === 0 ? '' : context.slice(starts[own[0]], ends[own[own.length - 1]])
      const found = examples.map((example) => pointedAt(example, context))
      assert.ok(
        found.every((one) => one === undefined || one === wanted),
        JSON.stringify([found, wanted]),
      )
      if (fits) assert.ok(found.includes(wanted), JSON.stringify([context, text, maxLength]))
      whole += fits ? 1 : 0
      for (const { ids: input } of examples) assert.ok(input.length <= maxLength)
      // all of the text is read, with the text's own ids
      const read = new Set<number>()
      for (const { ids: input, second, first } of one(question, maxLength, tokenizer)) {
        const pieces = input.subarray(second, input.length - 1)
        pieces.forEach((id, i) => {
          assert.is(id, ids[first + i])
          read.add(first + i)
        })
      }
      assert.is(read.size, tokenizer.encode(context).length)
    }
    assert.ok(whole > 50, `${whole} of 150 answers fit`)
  })
}

test('a window that cuts the answer points at [CLS], its neighbour at the answer', () => {
  const context = 'cough '.repeat(30).trim()
  // the question has 3 pieces: 16 pieces of text a window, every 8
  const question = asked(context, [{ text: 'cough cough', start: 6 * 15 }])
  const found = one(question, 22).map((example) => [example.first, pointedAt(example, context)])
  assert.equal(found, [
    [0, undefined],
    [8, 'cough cough'],
    [16, undefined],
  ])
})

test('of a long text few windows without the answer are learnt from, all that have it are', () => {
  const context = `${'and '.repeat(6000)}cough${' and'.repeat(6000)}`
  const question = asked(context, [{ text: 'cough', start: 24_000 }])
  const all = one(question, 384)
  const learnt = one(question, 384, wordPiece, true)
  const withAnswer = (some: WindowExample[]) =>
    some.filter((example) => pointedAt(example, context) !== undefined)
  assert.ok(all.length > 40)
  assert.ok(withAnswer(all).length >= 1)
  assert.is(withAnswer(learnt).length, withAnswer(all).length)
  assert.is(learnt.length, withAnswer(all).length + NULL_WINDOWS)
  const first = learnt.map((example) => example.first)
  assert.equal(
    first,
    [...first].sort((a, b) => a - b),
  )
})

test('each snippet of a question has its windows', () => {
  const passages = ['fever', 'cough', 'the cough'].map((context): Passage => ({ context, answers: [] }))
  const question: Question = { kind: 'bioasq', id: 'q', question: 'had', passages, gold: ['x'] }
  const examples = windowQuestions(
    [asked('fever', []), question],
    { tokenizer: wordPiece, maxLength: 64 },
    false,
  )
  assert.equal(
    examples.map(({ item, passage }) => [item, passage]),
    [
      [0, 0],
      [1, 0],
      [1, 1],
      [1, 2],
    ],
  )
})

test('yes and no are classes of question and snippets, cut to the length', () => {
  const passages = ['fever and', 'cough'].map((context): Passage => ({ context, answers: [] }))
  const question: Question = { kind: 'yesno', id: 'q', question: 'had', passages, gold: ['no'] }
  const context = { tokenizer: wordPiece, labels: ['yes', 'no'] }
  const [example] = yesNoExamples([question], { ...context, maxLength: 64 })
  assert.equal(
    [...example.ids].map((id) => wordPiece.pieces[id]),
    ['[CLS]', 'had', '[SEP]', 'fever', 'and', 'cough', '[SEP]'],
  )
  assert.is(example.second, 3)
  assert.equal([[...example.scored], [...(example.targets as Int32Array)]], [[0], [1]])
  const [cut] = yesNoExamples([{ ...question, gold: undefined, question: 'had '.repeat(90) }], {
    ...context,
    maxLength: 10,
  })
  assert.is(cut.ids.length, 3 + 3 + 3)
  assert.is(cut.targets, undefined)
})

test.run()
