/**
 * Comparison of number arrays for tests: |actual - expected| <= atol + rtol |expected| at every index.
 * A failure names the first and the worst places with index, both values and the error, never the whole array.
 */
import { fail } from './failure.js'

export interface Tolerance {
  /** Relative tolerance, of the expected value. Default 1e-5. */
  rtol?: number
  /** Absolute tolerance, in the values' own unit. Default 1e-6. */
  atol?: number
  /** What is compared, for the message. */
  name?: string
}

const shown = 5

/**
 * Throws unless both have the same length and every pair lies within the tolerance.
 * NaN equals nothing, an infinity only itself.
 */
export function allclose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 1e-5, atol = 1e-6, name = 'values' }: Tolerance = {},
): void {
  if (actual.length !== expected.length) {
    fail(`${name}: ${actual.length} values, want ${expected.length}`)
  }
  const wrong: number[] = []
  let count = 0
  let worst = -1
  let worstExcess = -1
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]
    const e = expected[i]
    if (a === e) continue
    const error = Math.abs(a - e)
    const bound = atol + rtol * Math.abs(e)
    const good = Number.isFinite(e) && error <= bound
    if (error > largest) largest = error
    if (good) continue
    count++
    if (wrong.length < shown) wrong.push(i)
    const excess = Number.isFinite(error) ? error / bound : Number.POSITIVE_INFINITY
    if (excess > worstExcess) {
      worstExcess = excess
      worst = i
    }
  }
  if (count === 0) return
  if (!wrong.includes(worst)) wrong.push(worst)
  const lines = wrong.map((i) => {
    const error = Math.abs(actual[i] - expected[i])
    const mark = i === worst ? '  <- worst' : ''
    return `  [${i}] ${actual[i]}, want ${expected[i]} (error ${error.toExponential(2)})${mark}`
  })
  fail(
    [
      `${name}: ${count} of ${expected.length} differ by more than ${atol} + ${rtol} |expected|, ` +
        `largest error ${largest.toExponential(3)}`,
      ...lines,
    ].join('\n'),
  )
}

/** Largest |actual - expected|; NaN where a pair holds one. Throws on different lengths. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) fail(`${actual.length} values, want ${expected.length}`)
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    const error = actual[i] === expected[i] ? 0 : Math.abs(actual[i] - expected[i])
    if (Number.isNaN(error)) return Number.NaN
    if (error > largest) largest = error
  }
  return largest
}

/** Throws unless both hold the same bits (so that -0 differs from 0, and equal NaNs are equal). */
export function sameBits(
  actual: ArrayBufferView,
  expected: ArrayBufferView,
  { name = 'values' }: { name?: string } = {},
): void {
  if (actual.byteLength !== expected.byteLength) {
    fail(`${name}: ${actual.byteLength} bytes, want ${expected.byteLength}`)
  }
  const a = new Uint8Array(actual.buffer, actual.byteOffset, actual.byteLength)
  const e = new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength)
  let count = 0
  let first = -1
  for (let i = 0; i < e.length; i++) {
    if (a[i] === e[i]) continue
    if (count++ === 0) first = i
  }
  if (count > 0) fail(`${name}: ${count} of ${e.length} bytes differ, the first at byte ${first}`)
}
