/** lamb against float64 loops, and what only a trust ratio can get wrong. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { SEGMENT_CHUNK, segmentTables } from '../../src/graph/segments.js'
import { lamb } from '../../src/ops/lamb.js'
import { allclose } from '../support/allclose.js'
import { onEveryIsa } from '../support/op_check.js'
import { gradientsOf, startingState, stepOnDevice } from '../support/optimizer_case.js'
import { optimizerSuite } from '../support/optimizer_suite.js'
import { random } from '../support/random.js'

const test = suite('lamb')
const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-6, decay: 0.01, clip: 0 }
const scalars = { lr: 0.01, correction1: 1, correction2: 1 }

optimizerSuite(test, lamb, { ratio: true })

onEveryIsa(test, 'a step changes an adapted tensor by lr |p|, each part by its own', async (device) => {
  const set = new ParameterSet()
  const rows = Math.ceil((3 * SEGMENT_CHUNK) / 100) + 1
  set.add('large', [rows, 100], { init: zeros })
  const parts = ['q', 'k'].map((name) => ({ name, rows: 3 }))
  set.add('qk', [6, 5], { init: zeros, parts })
  const state = { ...startingState(set), gradients: gradientsOf(set, 5) }
  const k = set.segments.find(({ name }) => name === 'k')!
  for (let i = 0; i < k.size; i++) state.parameters[k.offset + i] *= 100
  const next = await stepOnDevice(device, lamb, set, state, 1, attrs, scalars)
  const length = (data: ArrayLike<number>, offset: number, size: number) => {
    let s = 0
    for (let i = offset; i < offset + size; i++) s += data[i] ** 2
    return Math.sqrt(s)
  }
  const change = next.parameters.map((v, i) => v - state.parameters[i])
  for (const { name, offset, size } of set.segments)
    allclose([length(change, offset, size)], [0.01 * length(state.parameters, offset, size)], {
      rtol: 1e-4,
      name,
    })
})

onEveryIsa(test, 'no gradient and no decay leave a tensor where it is', async (device) => {
  const set = new ParameterSet()
  set.add('still', [7, 9], { init: zeros, decay: false, adapt: true })
  const state = startingState(set)
  const next = await stepOnDevice(device, lamb, set, state, 0, attrs, scalars)
  allclose(next.parameters, state.parameters, { rtol: 0, atol: 0 })
})

test('chunks cover every trainable element once, in order, and no other', () => {
  const set = new ParameterSet()
  const r = random(2)
  for (let i = 0; i < 20; i++)
    set.add(`p${i}`, [r.integer(1, 60000)], { init: zeros, trainable: i % 5 !== 3, adapt: i % 2 === 0 })
  const { table, segments, chunkCount, segmentCount } = segmentTables(set)
  assert.is(segmentCount, 20)
  let chunk = 0
  set.segments.forEach(({ offset, size, decay, adapt, trainable }, s) => {
    assert.is(segments[2 * s], (decay ? 1 : 0) + (adapt ? 2 : 0) + (trainable ? 4 : 0))
    assert.is(segments[2 * s + 1], chunk)
    let covered = 0
    while (trainable && covered < size) {
      const [segment, start, count] = table.subarray(3 * chunk, 3 * chunk + 3)
      assert.is(segment, s)
      assert.is(start, offset + covered)
      assert.ok(count > 0 && count <= SEGMENT_CHUNK)
      covered += count
      chunk++
    }
    assert.is(covered, trainable ? size : 0)
  })
  assert.is(chunk, chunkCount)
})

test('a set without anything to train is refused', () => {
  const set = new ParameterSet()
  set.add('frozen', [3], { init: zeros, trainable: false })
  assert.throws(() => segmentTables(set), /no parameter is trainable/)
})

test.run()
