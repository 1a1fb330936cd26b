import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rowsOf, sequence, sequences } from '../../../src/tasks/shared/sequences.js'
import { toyTokenizer } from '../../support/toy_tokenizer.js'

const test = suite('sequences')
const tokenizer = toyTokenizer()
const ids = (texts: [string] | [string, string], maxLength: number) => {
  const { ids, second, scored, cut } = sequence(texts, 0, { tokenizer, maxLength })
  return { ids: [...ids], second, scored: [...scored], cut }
}

test('a text stands between [CLS] and [SEP] and is scored at [CLS]', () => {
  assert.equal(ids(['the patient had fever .'], 16), {
    ids: [2, 5, 6, 8, 9, 15, 3],
    second: undefined,
    scored: [0],
    cut: 0,
  })
})

test('a pair has a [SEP] after each, the second segment begins after the first [SEP]', () => {
  assert.equal(ids(['the patient had fever', 'patients had cough .'], 16), {
    ids: [2, 5, 6, 8, 9, 3, 7, 8, 11, 15, 3],
    second: 6,
    scored: [0],
    cut: 0,
  })
})

test('a text that is too long loses its end, the pieces are counted', () => {
  assert.equal(ids(['the patient had fever and cough .'], 6), {
    ids: [2, 5, 6, 8, 9, 3],
    second: undefined,
    scored: [0],
    cut: 3,
  })
  assert.equal(ids(['the patient had fever'], 6).cut, 0)
})

test('a pair loses pieces of the longer text, of the second where both are as long', () => {
  // 7 + 2 pieces into 5: the first falls to 3
  assert.equal(ids(['the patient had fever and cough .', 'patients had'], 8), {
    ids: [2, 5, 6, 8, 3, 7, 8, 3],
    second: 5,
    scored: [0],
    cut: 4,
  })
  // 3 + 3 into 5: the second falls to 2
  assert.equal(ids(['the patient had', 'patients had cough'], 8).ids, [2, 5, 6, 8, 3, 7, 8, 3])
  // 3 + 3 into 4: then the first falls to 2
  assert.equal(ids(['the patient had', 'patients had cough'], 7).ids, [2, 5, 6, 3, 7, 8, 3])
  // 2 + 5 into 5: only the second falls
  assert.equal(ids(['the patient', 'patients had cough and fever'], 8).ids, [2, 5, 6, 3, 7, 8, 11, 3])
})

test('a length without room for a piece of each text is refused', () => {
  assert.throws(() => ids(['the'], 2), /maxLength is 2 \(want an integer >= 3\)/)
  assert.throws(() => ids(['the', 'patient'], 4), /maxLength is 4 \(want an integer >= 5\)/)
})

test('items without targets are left out of training alone, items keep their numbers', () => {
  const items = [1, undefined, 3]
  const make = (training: boolean) =>
    sequences(
      items,
      () => ['the patient had fever'],
      (item) => (item === undefined ? undefined : Int32Array.of(item)),
      { tokenizer, maxLength: 5 },
      training,
    )
  assert.equal(
    make(true).map(({ item, targets }) => [item, targets?.[0]]),
    [
      [0, 1],
      [2, 3],
    ],
  )
  assert.equal(
    make(false).map(({ item, targets }) => [item, targets?.[0]]),
    [
      [0, 1],
      [1, undefined],
      [2, 3],
    ],
  )
  assert.equal(
    make(false)
      .map(({ cut }) => cut)
      .filter(Boolean).length,
    3,
  )
})

test('every item has the row of its example, a missing or second one is an error', () => {
  const examples = [1, 0].map((item) => sequence(['the'], item, { tokenizer, maxLength: 8 }))
  const rows = [Float32Array.of(10), Float32Array.of(20)]
  assert.equal(
    rowsOf(2, examples, rows).map((row) => row[0]),
    [20, 10],
  )
  assert.throws(() => rowsOf(3, examples, rows), /item 2 has no example/)
  assert.throws(() => rowsOf(2, [examples[0], examples[0]], rows), /item 1 has two examples/)
})

test.run()
