/** Whose time is compared with whose. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Precision } from '../../bench/support/precisions.js'
import { bestPeer, type Contestant, compared, type Standing, takeTurns } from '../../bench/support/race.js'

const test = suite('races')

function standing(name: string, precision: Precision, seconds: number[], ours = false): Standing {
  return { name, precision, ours, seconds, typical: [...seconds].sort((a, b) => a - b)[seconds.length >> 1] }
}

test('the best peer computes at least as exactly', () => {
  const f32 = standing('ours f32', 'f32', [1], true)
  const bf16 = standing('ours bf16', 'bf16', [0.5], true)
  const slow = standing('slow', 'f32', [3])
  const exact = standing('exact', 'f32', [2])
  const coarse = standing('coarse', 'bf16', [1.5])
  const all = [f32, bf16, slow, exact, coarse]
  assert.is(bestPeer(all, f32), exact)
  assert.is(bestPeer(all, bf16), coarse)
  assert.is(bestPeer([f32, coarse], f32), undefined)
  assert.is(bestPeer([slow, exact], bf16), exact, 'a peer that is more exact than it need be counts')
})

test('ratios are of rounds, not of medians', () => {
  const ours = standing('ours', 'f32', [1, 2, 4], true)
  const peer = standing('peer', 'f32', [2, 6, 4])
  assert.equal(compared(ours, peer), { ratio: 2, low: 1, high: 3 })
})

test('contestants take turns, the order reversed every other round; the first rounds do not count', async () => {
  const calls: string[] = []
  const contestant = (name: string): Contestant => ({
    name,
    precision: 'f32',
    run: async () => {
      calls.push(name)
      return calls.length
    },
  })
  const found = await takeTurns('t', {}, ['a', 'b', 'c'].map(contestant), { rounds: 2, warmup: 1 })
  assert.is(calls.join(''), 'cbaabccba')
  assert.equal(
    found.map(({ seconds }) => seconds),
    [
      [4, 9],
      [5, 8],
      [6, 7],
    ],
  )
  assert.is(found[0].typical, 6.5)
})

test('where rounds are parts of a whole their mean counts', async () => {
  const times = [1, 2, 6]
  const one: Contestant = { name: 'a', precision: 'f32', run: async () => times.shift() }
  const [found] = await takeTurns('t', {}, [one], { rounds: 3, warmup: 0, whole: { what: 'all', count: 3 } })
  assert.is(found.typical, 3)
})

/** Takes so many seconds a turn, of which it tells. */
function sleeper(name: string, milliseconds: number, ours = false): Contestant {
  return { name, precision: 'f32', ours, run: () => new Promise((done) => setTimeout(done, milliseconds)) }
}

test('who has used up a share of the budget sits out the rest, after one round at least', async () => {
  const all = [sleeper('fast', 1, true), sleeper('slow', 120), sleeper('slower', 500)]
  const found = await takeTurns('t', {}, all, { rounds: 4, warmup: 0, budget: 1.2 })
  const rounds = found.map(({ seconds }) => seconds.length)
  assert.is(rounds[0], 4)
  // a share is 0.4 s; a machine under load may keep a turn waiting
  assert.ok(rounds[1] >= 1 && rounds[1] <= 3, `${rounds}`)
  assert.is(rounds[2], 1)
  assert.is(compared(found[0], found[2]).low, compared(found[0], found[2]).high)
})

test('a peer that fails drops out and the others go on; of ours nothing is forgiven', async () => {
  const fails = (name: string, ours: boolean): Contestant => {
    let turns = 0
    return {
      name,
      precision: 'f32',
      ours,
      run: async () => {
        turns++
        if (turns === 2) throw new Error('lost')
        return 1
      },
    }
  }
  const said: string[] = []
  const failed = (name: string, error: Error) => said.push(`${name}: ${error.message}`)
  const options = { rounds: 3, warmup: 0, failed }
  const found = await takeTurns('t', {}, [sleeper('ours', 1, true), fails('bad', false)], options)
  assert.equal(
    found.map(({ name, seconds }) => [name, seconds.length]),
    [['ours', 3]],
  )
  assert.equal(said, ['bad: lost'])
  const outcome = await takeTurns('t', {}, [fails('ours', true)], options).then(
    () => 'nothing',
    (error: Error) => error.message,
  )
  assert.is(outcome, 'lost')
})

test.run()
