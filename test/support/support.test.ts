/** The helpers that other tests lean on: comparison, random numbers, differences, folders. */
import { existsSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { allclose, largestError, sameBits } from './allclose.js'
import { centralDifferences } from './differences.js'
import { random } from './random.js'
import { folderWith } from './temporary.js'

const test = suite('test support')

function message(f: () => void): string {
  try {
    f()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

test('allclose accepts what lies within atol + rtol |expected|', () => {
  allclose([1 + 9e-6, 1e-7, -3], [1, 0, -3])
  allclose([1.05], [1], { rtol: 0, atol: 0.1 })
  allclose([Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY])
  allclose(new Float32Array(0), [])
})

test('allclose names index, both values, the worst place and the largest error', () => {
  const text = message(() => allclose([1, 2.5, 3, 14], [1, 2, 3, 4], { name: 'dx' }))
  assert.match(text, /^dx: 2 of 4 differ/)
  assert.match(text, /largest error 1\.000e\+1/)
  assert.match(text, /\[1\] 2\.5, want 2 /)
  assert.match(text, /\[3\] 14, want 4 .*worst/)
})

test('allclose refuses NaN, a wrong infinity and a wrong length', () => {
  assert.match(
    message(() => allclose([Number.NaN], [0])),
    /NaN/,
  )
  message(() => allclose([Number.NaN], [Number.NaN]))
  message(() => allclose([1e30], [Number.POSITIVE_INFINITY]))
  message(() => allclose([Number.POSITIVE_INFINITY], [1]))
  assert.match(
    message(() => allclose([1, 2], [1])),
    /2 values, want 1/,
  )
})

test('a million differences make a short message', () => {
  const text = message(() => allclose(new Float32Array(1e6), new Float32Array(1e6).fill(1)))
  assert.ok(text.length < 2000)
})

test('largestError finds the largest, and NaN where there is one', () => {
  assert.is(largestError([1, 5, 2], [1, 3, 3]), 2)
  assert.ok(Number.isNaN(largestError([1, Number.NaN], [1, 0])))
})

test('sameBits tells -0 from 0 and knows equal NaNs', () => {
  sameBits(new Float32Array([Number.NaN, 1]), new Float32Array([Number.NaN, 1]))
  assert.match(
    message(() => sameBits(new Float32Array([0]), new Float32Array([-0]))),
    /1 of 4 bytes/,
  )
})

test('random repeats for a seed and has the moments it should', () => {
  assert.equal([...random(7).normals(4)], [...random(7).normals(4)])
  assert.not.equal([...random(7).normals(4)], [...random(8).normals(4)])
  const { normals, uniforms, permutation } = random(1)
  const x = normals(20000, 2)
  const mean = x.reduce((a, b) => a + b) / x.length
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length
  assert.ok(Math.abs(mean) < 0.06 && Math.abs(variance - 4) < 0.2, `${mean} ${variance}`)
  const u = uniforms(20000, -1, 3)
  assert.ok(Math.abs(u.reduce((a, b) => a + b) / u.length - 1) < 0.05)
  assert.equal(
    [...permutation(50)].sort((a, b) => a - b),
    [...Array(50).keys()],
  )
})

test('central differences give the gradient of a cubic', () => {
  const f = (x: Float64Array) => x[0] ** 3 + 2 * x[0] * x[1]
  allclose(centralDifferences(f, [2, 3]), [18, 4], { rtol: 1e-8 })
})

test('folderWith writes its files, in folders as well', () => {
  const folder = folderWith({ 'a/b.txt': 'x' })
  assert.is(readFileSync(`${folder}/a/b.txt`, 'utf8'), 'x')
  assert.ok(existsSync(folder))
})

test.run()
