import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { smooth, thin, ticks } from '../../src/web/page/scale.js'

const test = suite('scales of charts')

test('ticks are round, span the values and are about as many as wanted', () => {
  assert.equal(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1])
  assert.equal(ticks(0.03, 2.9, 4), [0, 1, 2, 3])
  assert.equal(ticks(0, 200, 6), [0, 50, 100, 150, 200])
  assert.equal(ticks(0.1, 0.3, 2), [0.1, 0.2, 0.3])
  for (const [low, high] of [
    [0, 1e-7],
    [-3, 17],
    [1.61, 1.62],
    [5, 5],
    [0, 0],
    [0, 123_456],
  ]) {
    const found = ticks(low, high, 4)
    assert.ok(found.length >= 2 && found.length <= 9, `${low} to ${high}: ${found}`)
    assert.ok(found[0] <= low && found[found.length - 1] >= high, `${low} to ${high}: ${found}`)
    for (let i = 1; i < found.length; i++) assert.ok(found[i] > found[i - 1])
  }
})

test('many points become few that keep their mean, and what is no number is left out', () => {
  const points = Array.from({ length: 1000 }, (_, i) => [i, i % 2] as const)
  const few = thin(points, 100)
  assert.is(few.length, 100)
  assert.equal(few[0], [4.5, 0.5])
  assert.equal(few[99], [994.5, 0.5])
  const odd = [[1, 2] as const, [2, Number.NaN] as const, [3, Number.POSITIVE_INFINITY] as const]
  assert.equal(thin(odd, 10), [[1, 2]])
  assert.equal(thin([], 10), [])
})

test('a straight line stays itself when it is made smoother, and noise becomes less', () => {
  const straight = Array.from({ length: 50 }, (_, i) => [i, 3 - i / 10] as const)
  for (const [i, [x, y]] of smooth(straight, 9).entries()) {
    assert.is(x, i)
    assert.ok(Math.abs(y - straight[i][1]) < 1e-12, `${i}: ${y}`)
  }
  const noise = straight.map(([x], i) => [x, i % 2] as const)
  const inner = smooth(noise, 9).slice(5, 45)
  assert.ok(inner.every(([, y]) => Math.abs(y - 0.5) < 0.06))
  assert.equal(smooth([], 9), [])
  assert.equal(smooth([[1, 2]], 9), [[1, 2]])
})

test.run()
