/**
 * Masking against its law: a plain reimplementation of the published algorithm (whole lists, shuffled whole) with
 * another generator gives the same statistics.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Masker, predictionBudget } from '../../../src/data/instances/masking.js'
import { Philox } from '../../../src/data/random.js'
import { random } from '../../support/random.js'

const test = suite('masking')

const special = { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 }
const V = 1000
// Ids from 500 on continue a word.
const startsWord = Uint8Array.from({ length: V }, (_, id) => (id < 500 ? 1 : 0))

function options(maxPredictions: number, probability = 0.15) {
  return { maxPredictions, probability, vocabularySize: V, special, startsWord }
}

/** [CLS] A [SEP] B [SEP] with words of one to three pieces. */
function sequence(seed: number, length: number): Int32Array {
  const { integer } = random(seed)
  const ids = Int32Array.from({ length }, () => (integer(10) < 6 ? integer(5, 500) : integer(500, V)))
  ids[0] = special.cls
  ids[1] = 10
  ids[length - 1] = special.sep
  ids[length >> 1] = special.sep
  return ids
}

/** The published algorithm, word for word: candidate n-grams in a list, shuffled, covered ones skipped. */
function published(ids: Int32Array, budget: number, next: ReturnType<typeof random>): number[][] {
  const words: number[][] = []
  ids.forEach((id, i) => {
    if (id === special.cls || id === special.sep) return
    if (words.length > 0 && startsWord[id] === 0) words[words.length - 1].push(i)
    else words.push([i])
  })
  const order = [...next.permutation(words.length)]
  const covered = new Set<number>()
  const chosen: number[][] = []
  let count = 0
  for (const start of order) {
    if (count >= budget) break
    const u = next.uniform() * 11
    let n = u < 6 ? 1 : u < 9 ? 2 : 3
    let places = words.slice(start, start + n).flat()
    while (n > 1 && count + places.length > budget) places = words.slice(start, start + --n).flat()
    if (count + places.length > budget || places.some((place) => covered.has(place))) continue
    for (const place of places) covered.add(place)
    count += places.length
    chosen.push(places)
  }
  return chosen
}

test('the budget is min(most, max(1, round(p n))), halves to even as in Python', () => {
  const cases: [number, number, number][] = [
    [512, 20, 20],
    [512, 77, 77],
    [512, 100, 77],
    [5, 20, 1],
    [10, 20, 2], // 1.5
    [30, 20, 4], // 4.5
    [50, 20, 8], // 7.5
    [3, 20, 1], // 0.45
  ]
  for (const [n, most, budget] of cases) assert.is(predictionBudget(n, options(most)), budget, `${n}`)
})

test('places ascend, labels are what stood there, special pieces are never masked', () => {
  const draw = new Philox(1)
  const masker = new Masker(options(20), 128)
  for (let seed = 0; seed < 300; seed++) {
    const n = 5 + (seed % 120)
    const before = sequence(seed, n)
    const ids = before.slice()
    const k = masker.mask(ids, n, draw)
    assert.ok(k <= predictionBudget(n, options(20)))
    const places = [...masker.positions.subarray(0, k)]
    for (let i = 0; i < n; i++) {
      const at = places.indexOf(i)
      if (at < 0) assert.is(ids[i], before[i])
      else {
        assert.is(masker.labels[at], before[i])
        assert.ok(before[i] !== special.cls && before[i] !== special.sep)
      }
    }
    assert.ok(places.every((place, i) => i === 0 || place > places[i - 1]))
  }
})

test('whole words are masked: a word is covered with all its pieces or not at all', () => {
  const draw = new Philox(2)
  const masker = new Masker(options(40), 128)
  for (let seed = 0; seed < 200; seed++) {
    const before = sequence(seed, 100)
    const k = masker.mask(before.slice(), 100, draw)
    const covered = new Set(masker.positions.subarray(0, k))
    let last = -1
    before.forEach((id, i) => {
      if (id === special.cls || id === special.sep) return
      if (startsWord[id] === 0 && last >= 0)
        assert.is(covered.has(i), covered.has(last), `seed ${seed}, place ${i}`)
      last = i
    })
  }
})

test('of the chosen pieces 80% become [MASK], 10% stay, 10% are drawn from the whole vocabulary', () => {
  const draw = new Philox(3)
  const masker = new Masker(options(20), 512)
  const counts = { mask: 0, kept: 0, other: 0 }
  const drawn = new Set<number>()
  for (let round = 0; round < 2000; round++) {
    const ids = sequence(round, 256)
    const k = masker.mask(ids, 256, draw)
    for (let i = 0; i < k; i++) {
      const now = ids[masker.positions[i]]
      if (now === special.mask) counts.mask++
      else if (now === masker.labels[i]) counts.kept++
      else {
        counts.other++
        drawn.add(now)
      }
    }
  }
  const total = counts.mask + counts.kept + counts.other
  const within = (share: number, p: number) => Math.abs(share - p) < 5 * Math.sqrt((p * (1 - p)) / total)
  assert.ok(within(counts.mask / total, 0.8 + 0.1 / V), `${counts.mask / total}`)
  assert.ok(within(counts.kept / total, 0.1 + 0.1 / V), `${counts.kept / total}`)
  // About 4,000 draws among 1,000 ids leave some 18 out.
  assert.ok(drawn.size > 0.95 * V, `${drawn.size}`)
})

test('the law of n-grams is that of the published algorithm', () => {
  const rounds = 20_000
  // Runs of covered words by length: what n-grams of 1, 2, 3 words and their neighbours make.
  const runs = (words: boolean[]): number[] => {
    const counts = new Array(8).fill(0)
    let run = 0
    for (const covered of [...words, false]) {
      if (covered) run++
      else {
        if (run > 0) counts[Math.min(run, 7)]++
        run = 0
      }
    }
    return counts
  }
  const ids = Int32Array.from({ length: 64 }, (_, i) =>
    i === 0 ? special.cls : i === 63 || i === 30 ? special.sep : 5 + i,
  )
  const budget = predictionBudget(64, options(20))
  const ours = new Array(8).fill(0)
  const theirs = new Array(8).fill(0)
  const add = (sum: number[], counts: number[]): void => {
    for (let i = 0; i < counts.length; i++) sum[i] += counts[i]
  }
  const draw = new Philox(4)
  const masker = new Masker(options(20), 64)
  const next = random(5)
  const real = [...ids.keys()].filter((i) => ids[i] !== special.cls && ids[i] !== special.sep)
  const [first, second] = [new Float64Array(64), new Float64Array(64)]
  for (let round = 0; round < rounds; round++) {
    const k = masker.mask(ids.slice(), 64, draw)
    const mine = new Set(masker.positions.subarray(0, k))
    add(ours, runs(real.map((i) => mine.has(i))))
    const other = new Set(published(ids, budget, next).flat())
    add(theirs, runs(real.map((i) => other.has(i))))
    for (const i of mine) first[i]++
    for (const i of other) second[i]++
  }
  for (let length = 1; length < 8; length++) {
    const sigma = Math.sqrt(ours[length] + theirs[length])
    assert.ok(
      Math.abs(ours[length] - theirs[length]) < 5 * sigma + 1,
      `runs of ${length}: ${ours[length]} and ${theirs[length]}`,
    )
  }
  // Places near the end of a sequence are covered more rarely; so ours.
  for (const i of real) {
    assert.ok(
      Math.abs(first[i] - second[i]) < 5 * Math.sqrt(first[i] + second[i]),
      `place ${i}: ${first[i]} and ${second[i]}`,
    )
  }
})

test('a budget of one takes one word of one piece where there is one', () => {
  const draw = new Philox(6)
  const masker = new Masker(options(1), 8)
  for (let round = 0; round < 100; round++) {
    const ids = Int32Array.of(special.cls, 10, 600, special.sep, 20, special.sep)
    assert.is(masker.mask(ids, 6, draw), 1)
    assert.is(masker.positions[0], 4)
  }
})

test('a sequence whose words all exceed the budget stays as it is', () => {
  const draw = new Philox(7)
  const masker = new Masker(options(1), 8)
  const ids = Int32Array.of(special.cls, 10, 600, special.sep, 20, 700, special.sep)
  assert.is(masker.mask(ids, 7, draw), 0)
  assert.equal([...ids], [special.cls, 10, 600, special.sep, 20, 700, special.sep])
})

test.run()
