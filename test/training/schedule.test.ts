import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkSchedule, learningRate } from '../../src/training/schedule.js'

const test = suite('schedule')
const papers = { peak: 0.00176, warmup: 3125, total: 200_000 }

test('warm-up starts from 0 and is linear', () => {
  assert.is(learningRate(papers, 0), 0)
  assert.is(learningRate(papers, 1), 0.00176 / 3125)
  assert.is(learningRate(papers, 1250), 0.00176 * 0.4)
})

test('after the warm-up the rate stands on the line from the peak at step 0 to 0 at the last', () => {
  assert.is(learningRate(papers, 3125), 0.00176 * (1 - 3125 / 200_000))
  assert.is(learningRate(papers, 100_000), 0.00088)
  assert.is(learningRate(papers, 200_000), 0)
  assert.is(learningRate(papers, 300_000), 0)
})

test('without warm-up the first rate is the peak', () => {
  assert.is(learningRate({ peak: 0.5, warmup: 0, total: 10 }, 0), 0.5)
})

test('a schedule that cannot be is refused by name', () => {
  assert.throws(() => checkSchedule({ peak: 0, warmup: 0, total: 10 }), /learning rate is 0/)
  assert.throws(() => checkSchedule({ peak: 1, warmup: 0, total: 0 }), /total steps are 0/)
  assert.throws(() => checkSchedule({ peak: 1, warmup: 10, total: 10 }), /warm-up is 10/)
})

test.run()
