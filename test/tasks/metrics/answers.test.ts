/** Golden scores: test/golden/metrics.py (the definitions of SQuAD 2.0's script; thresholds by scoring every one of them). */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  answerF1,
  bestThresholds,
  exactMatch,
  normalizeAnswer,
  type SpanScores,
  scoreAnswers,
} from '../../../src/tasks/metrics/answers.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('answer metrics')

interface AnswerCase {
  gold: string[]
  predicted: string
  normalised: string
  exact: number
  f1: number
}
interface NoAnswerCase {
  gold: string[][]
  texts: string[]
  differences: number[]
  given: string[]
  split: Record<'all' | 'hasAnswer' | 'noAnswer', [exact: number, f1: number] | undefined>
  exactThreshold: number
  exactMatch: number
  f1Threshold: number
  f1: number
}

test('random answers are normalised and scored as by the script', () => {
  for (const want of metricsGolden<AnswerCase>('answers')) {
    const { gold, predicted } = want
    assert.is(normalizeAnswer(predicted), want.normalised)
    const name = JSON.stringify([gold, predicted])
    allclose([exactMatch(gold, predicted), answerF1(gold, predicted)], [want.exact, want.f1], {
      rtol: 1e-12,
      name,
    })
  }
})

test('an article is a word of its own in every script', () => {
  assert.is(normalizeAnswer('The  a-β of an “aβ” a\u00a0cell, THE END.'), 'aβ of “aβ” cell end')
  assert.is(normalizeAnswer('an_a a²'), 'ana a²')
})

test('words count with their multiplicity, and the best gold answer counts', () => {
  assert.is(answerF1(['p53 p53 gene'], 'p53 p53 p53'), 2 / 3)
  assert.is(answerF1(['mdm2', 'the p53 gene'], 'p53'), 2 / 3)
  assert.is(exactMatch(['mdm2', 'The p53'], 'P53.'), 1)
})

test('a question without an answer is answered right by the empty text alone', () => {
  assert.equal([exactMatch([], ''), answerF1([], '')], [1, 1])
  assert.equal([exactMatch([], 'p53'), answerF1([], 'p53')], [0, 0])
  assert.equal([exactMatch(['p53'], ''), answerF1(['p53'], '')], [0, 0])
})

test('questions with and without an answer are scored apart where there are both', () => {
  for (const want of metricsGolden<NoAnswerCase>('noAnswers')) {
    const scores = scoreAnswers(want.gold, want.given)
    const found = (part: SpanScores | undefined) => (part === undefined ? [] : [part.exactMatch, part.f1])
    allclose(found(scores), want.split.all ?? [], { rtol: 1e-12 })
    if (want.split.noAnswer === undefined) {
      assert.equal([scores.hasAnswer, scores.noAnswer], [undefined, undefined])
      continue
    }
    allclose(found(scores.hasAnswer), want.split.hasAnswer ?? [0, 0], { rtol: 1e-12 })
    allclose(found(scores.noAnswer), want.split.noAnswer, { rtol: 1e-12 })
  }
})

test('the best thresholds are those that scoring at every difference finds, ties or not', () => {
  for (const want of metricsGolden<NoAnswerCase>('noAnswers')) {
    const best = bestThresholds(want.gold, want.texts, want.differences)
    allclose(
      [best.exactMatch, best.exactThreshold, best.f1, best.f1Threshold],
      [want.exactMatch, want.exactThreshold, want.f1, want.f1Threshold],
      { rtol: 1e-12, atol: 1e-12 },
    )
  }
})

test('no question scores 0', () => {
  assert.equal(scoreAnswers([], []), { questions: 0, exactMatch: 0, f1: 0 })
  assert.equal(bestThresholds([], [], []), { exactMatch: 0, exactThreshold: 0, f1: 0, f1Threshold: 0 })
})

test('other lengths are refused', () => {
  assert.throws(() => scoreAnswers([[]], []), /0 answers, want 1/)
  assert.throws(() => bestThresholds([[]], [''], []), /0 answers, want 1/)
})

test.run()
