/** Golden counts: test/golden/conlleval.py (a word-by-word conlleval, seqeval and scikit-learn), metrics.py (seqeval by type). */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readNer } from '../../../src/tasks/entities/reader_node.js'
import { entitySpans, scoreEntities } from '../../../src/tasks/metrics/entities.js'
import { type NerScores, nerTable, scoreNer } from '../../../src/tasks/metrics/ner.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'
import { root } from '../../support/paths.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'

const test = suite('NER metrics')

interface Golden {
  words: number
  conlleval: {
    total: number[]
    types: Record<string, number[]>
    precision: number
    recall: number
    f1: number
  }
  iob2: { total: number[] }
  token: { accuracy: number; macroF1: number; weightedF1: number }
}
interface Typed extends Golden {
  gold: string[]
  predicted: string[]
}
interface Shared extends Golden {
  set: string
  seed: number
  share: number
  sentences: number
  sha256: string
}

const golden = <T>(name: string) =>
  JSON.parse(readFileSync(`${root}/test/golden/ner/${name}.json`, 'utf8')) as T[]
const tagsOf = (row: string) => row.split(' ').filter((tag) => tag !== '')

function agree(scores: NerScores, want: Golden): void {
  const total = ({ gold, predicted, correct }: { gold: number; predicted: number; correct: number }) => [
    gold,
    predicted,
    correct,
  ]
  assert.is(scores.words, want.words)
  assert.equal(total(scores.conlleval), want.conlleval.total)
  assert.equal(total(scores.iob2), want.iob2.total)
  assert.equal(
    Object.fromEntries(Object.entries(scores.conlleval.types).map(([type, counts]) => [type, total(counts)])),
    want.conlleval.types,
  )
  const { conlleval: a, token: t } = scores
  const { conlleval: b, token: u } = want
  allclose(
    [a.precision, a.recall, a.f1, t.accuracy, t.macroF1, t.weightedF1],
    [b.precision, b.recall, b.f1, u.accuracy, u.macroF1, u.weightedF1],
    { rtol: 1e-12, atol: 1e-12 },
  )
}

/** As `corrupt` in test/golden/conlleval.py. */
function corrupt(sentences: string[][], labels: string[], seed: number, share: number): string[][] {
  let state = seed
  const below = (n: number) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0
    return ((state >>> 16) * n) >>> 16
  }
  return sentences.map((tags) =>
    tags.map((tag) => (below(1000) < share ? labels[below(labels.length)] : tag)),
  )
}

test('random tags of three types agree with conlleval, seqeval and scikit-learn', () => {
  const cases = golden<Typed>('typed')
  assert.ok(cases.length > 10)
  for (const want of cases) agree(scoreNer(want.gold.map(tagsOf), want.predicted.map(tagsOf)), want)
})

interface StrictCase {
  gold: string[]
  predicted: string[]
  types: string[]
  precision: number[]
  recall: number[]
  f1: number[]
  support: number[]
}

test('under strict IOB2 every type agrees with seqeval, also types that are never right', () => {
  for (const want of metricsGolden<StrictCase>('entities')) {
    const { types } = scoreEntities(want.gold.map(tagsOf), want.predicted.map(tagsOf), 'iob2')
    assert.equal(Object.keys(types), want.types)
    want.types.forEach((type, t) => {
      const { gold, precision, recall, f1 } = types[type]
      assert.is(gold, want.support[t])
      allclose([precision, recall, f1], [want.precision[t], want.recall[t], want.f1[t]], {
        rtol: 1e-12,
        atol: 0,
      })
    })
  }
})

for (const want of golden<Shared>('shared')) {
  const name = `${want.set} with ${want.share / 10}% of its tags redrawn agrees, on every word of the file`
  const path = sharedFile('ner', want.set, 'test.tsv')
  if (path === undefined) {
    skip(test, name, noSharedData)
    continue
  }
  test(name, () => {
    const gold = readNer(path).sentences.map(({ tags }) => tags)
    const predicted = corrupt(gold, ['O', 'B', 'I'], want.seed, want.share)
    const hash = createHash('sha256').update(predicted.map((row) => row.join(' ')).join('\n'))
    assert.is(hash.digest('hex'), want.sha256)
    const scores = scoreNer(gold, predicted)
    assert.is(scores.sentences, want.sentences)
    agree(scores, want)
  })
}

test('an I without a B begins an entity for conlleval and none for strict IOB2', () => {
  const tags = ['O', 'I', 'I', 'B-X', 'I-Y', 'I-Y', 'I-X']
  const spans = (reading: 'conlleval' | 'iob2') =>
    entitySpans(tags, reading).map((s) => [s.start, s.end, s.type])
  assert.equal(spans('conlleval'), [
    [1, 3, ''],
    [3, 4, 'X'],
    [4, 6, 'Y'],
    [6, 7, 'X'],
  ])
  assert.equal(spans('iob2'), [[3, 4, 'X']])
})

test('perfect predictions score 1, all O scores 0 without dividing by nothing', () => {
  const gold = [['B', 'I', 'O'], ['O']]
  const perfect = scoreNer(gold, gold)
  assert.equal(
    [perfect.conlleval.f1, perfect.iob2.f1, perfect.token.macroF1, perfect.token.accuracy],
    [1, 1, 1, 1],
  )
  const nothing = scoreNer(gold, [['O', 'O', 'O'], ['O']])
  const { precision, recall, f1 } = nothing.conlleval
  assert.equal([precision, recall, f1, nothing.token.macroF1], [0, 0, 0, 0])
  const empty = scoreNer([['O']], [['O']])
  assert.equal([empty.conlleval.f1, empty.iob2.f1, empty.token.macroF1, empty.token.weightedF1], [0, 0, 0, 1])
})

test('a word without a prediction is refused', () => {
  assert.throws(() => scoreNer([['O', 'B']], [['O']]), /sentence 0 has 1 predicted tags, want 2/)
  assert.throws(() => scoreNer([['O']], []), /0 predicted sentences, want 1/)
})

test('the table gives both readings in percent and marks the inferred figures', () => {
  const table = nerTable(scoreNer([['B', 'I', 'O', 'B']], [['B', 'I', 'O', 'O']]))
  assert.match(table, /conlleval\) +100\.00 +50\.00 +66\.67 +2 +1 +1\n/)
  assert.match(table, /strict IOB2/)
  assert.match(table, /paper style \(inferred\): token accuracy 75\.00/)
  assert.match(table, /scored 4 words in 1 sentences/)
})

test.run()
