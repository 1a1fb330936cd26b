/** Philox 4x32-10 against the known answers of Random123 (kat_vectors), and the laws of the draws. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Philox, philoxBlock } from '../../src/data/random.js'

const test = suite('random')

const known: [string, string, string][] = [
  ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
  ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
]

const words = (text: string) => Uint32Array.from(text.split(' '), (word) => Number.parseInt(word, 16))

test('blocks are the known answers of Random123', () => {
  for (const [counter, key, expected] of known) {
    const out = new Uint32Array(4)
    philoxBlock(words(counter), words(key), out)
    assert.is(Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' '), expected)
  }
})

test('a stream is the blocks of its counters: seed in the key, name of the stream above the counter', () => {
  const random = new Philox(0x5_0000_0007, 9, 8, 7)
  const out = new Uint32Array(4)
  for (let block = 0; block < 3; block++) {
    philoxBlock(Uint32Array.of(block, 9, 8, 7), Uint32Array.of(7, 5), out)
    for (const word of out) assert.is(random.word(), word)
  }
})

test('a restarted stream begins again', () => {
  const random = new Philox(1, 2)
  const first = [random.word(), random.word(), random.word()]
  random.restart(3)
  random.word()
  random.restart(2)
  assert.equal([random.word(), random.word(), random.word()], first)
})

test('integers are uniform over their range', () => {
  const random = new Philox(11)
  const counts = new Array(7).fill(0)
  for (let i = 0; i < 70_000; i++) counts[random.integer(7)]++
  // Chi-squared with 6 degrees of freedom: above 27.9 once in 10,000 seeds.
  assert.ok(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0) < 27.9)
})

test('uniform numbers lie in [0, 1) with mean 1/2 and variance 1/12', () => {
  const random = new Philox(12)
  let sum = 0
  let squares = 0
  for (let i = 0; i < 100_000; i++) {
    const u = random.uniform()
    assert.ok(u >= 0 && u < 1)
    sum += u
    squares += u * u
  }
  const mean = sum / 100_000
  assert.ok(Math.abs(mean - 0.5) < 0.004)
  assert.ok(Math.abs(squares / 100_000 - mean * mean - 1 / 12) < 0.002)
})

test('a shuffle is a permutation, every place equally likely', () => {
  const random = new Philox(13)
  const firsts = new Array(5).fill(0)
  for (let i = 0; i < 20_000; i++) {
    const items = [0, 1, 2, 3, 4]
    random.shuffle(items)
    assert.equal([...items].sort(), [0, 1, 2, 3, 4])
    firsts[items[0]]++
  }
  // Chi-squared with 4 degrees of freedom: above 23.5 once in 10,000 seeds.
  assert.ok(firsts.reduce((sum, count) => sum + (count - 4000) ** 2 / 4000, 0) < 23.5)
})

test.run()
