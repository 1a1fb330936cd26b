/** How the losses of two sides are held against each other. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { largestDifference } from '../../bench/support/finetune_losses.js'

const test = suite('losses of two sides')

test('the largest difference of two lists, as it is or of what it is held against', () => {
  assert.is(largestDifference([1, 2.5, 3], [1, 2, 3.25]), 0.5)
  assert.is(largestDifference([1, 2.5, -3], [1, 2, -2], true), 0.5)
  assert.is(largestDifference([], []), 0)
})

test('what is missing or no number is as far away as can be', () => {
  assert.is(largestDifference([1, 2], [1]), Number.POSITIVE_INFINITY)
  assert.is(largestDifference([Number.NaN, 2], [1, 2]), Number.POSITIVE_INFINITY)
  assert.is(largestDifference([1, 2], [1, Number.NaN], true), Number.POSITIVE_INFINITY)
  assert.is(largestDifference([1, 0], [1, 0], true), Number.POSITIVE_INFINITY)
})

test.run()
