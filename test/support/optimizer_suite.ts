/** The tests that every optimizer op passes: ten steps against float64, clipping, exclusions, threads, bad gradients. */
import type { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { OptimizerAttrs } from '../../src/ops/lamb.js'
import type { Op } from '../../src/ops/op.js'
import { allclose, sameBits } from './allclose.js'
import { onEveryIsa, withDevice } from './op_check.js'
import {
  ARENAS,
  GAP,
  gradientsOf,
  normOf,
  oddParameters,
  type Scalars,
  type State,
  startingState,
  stepInFloat64,
  stepOnDevice,
} from './optimizer_case.js'

const attrs: OptimizerAttrs = { beta1: 0.9, beta2: 0.999, eps: 1e-6, decay: 0.01, clip: 1 }
const plain: Scalars = { lr: 0.01, correction1: 1, correction2: 1 }

/** Adds the tests of an optimizer; `ratio` tells whether it has a trust ratio. */
export function optimizerSuite(
  test: ReturnType<typeof suite>,
  op: Op<OptimizerAttrs>,
  { ratio }: { ratio: boolean },
): void {
  const set = oddParameters()

  for (const [name, clip, biasCorrection] of [
    ['clipped', 1, false],
    ['clipping off', 0, false],
    ['a norm below the limit', 1000, false],
    ['bias correction', 1, true],
  ] as const)
    onEveryIsa(test, `ten steps follow float64: ${name}`, async (device) => {
      let state = startingState(set)
      const want = Object.fromEntries(ARENAS.map((a) => [a, Float64Array.from(state[a])])) as Record<
        keyof State,
        Float64Array
      >
      for (let step = 1; step <= 10; step++) {
        const gradients = gradientsOf(set, step)
        state.gradients = gradients
        want.gradients = Float64Array.from(gradients)
        const scalars = {
          lr: 0.01 / step,
          correction1: biasCorrection ? 1 - 0.9 ** step : 1,
          correction2: biasCorrection ? 1 - 0.999 ** step : 1,
        }
        const norm = normOf(set, gradients)
        assert.ok(norm > 1 && norm < 1000)
        state = await stepOnDevice(device, op, set, state, norm, { ...attrs, clip }, scalars)
        stepInFloat64(set, want, { ...attrs, clip }, scalars, ratio)
      }
      for (const arena of ARENAS) allclose(state[arena], want[arena], { rtol: 1e-5, atol: 1e-6, name: arena })
    })

  test('the same bits on 1, 2, 3 and 7 threads', async () => {
    const run = (threads: number) =>
      withDevice({ threads }, (device) => {
        const state = { ...startingState(set), gradients: gradientsOf(set, 3) }
        return stepOnDevice(device, op, set, state, normOf(set, state.gradients), attrs, plain)
      })
    const one = await run(1)
    for (const threads of [2, 3, 7]) {
      const other = await run(threads)
      for (const arena of ARENAS) sameBits(other[arena], one[arena], { name: `${arena} on ${threads}` })
    }
  })

  onEveryIsa(test, 'a norm that is not finite changes nothing but clears the gradients', async (device) => {
    for (const norm of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const start = startingState(set)
      const state = { ...start, gradients: gradientsOf(set, 3).map((v, i) => (i === 500 ? Number.NaN : v)) }
      const next = await stepOnDevice(device, op, set, state, norm, attrs, plain)
      for (const arena of ['parameters', 'moment1', 'moment2'] as const)
        sameBits(next[arena], start[arena], { name: arena })
      for (const { name, offset, size, trainable } of set.segments)
        if (trainable)
          assert.ok(
            next.gradients.subarray(offset, offset + size).every((v) => v === 0),
            name,
          )
    }
  })

  onEveryIsa(test, 'a loss scale that is divided out again changes no bit', async (device) => {
    // clipped and not: the two are one factor
    for (const clip of [1, 0]) {
      let plainly = startingState(set)
      let scaled = startingState(set)
      for (const [step, exponent] of [0, 1, 16, 24, 100, -20].entries()) {
        const scale = 2 ** exponent
        const gradients = gradientsOf(set, step + 2)
        const norm = normOf(set, gradients)
        plainly = await stepOnDevice(
          device,
          op,
          set,
          { ...plainly, gradients },
          norm,
          { ...attrs, clip },
          plain,
        )
        const state = { ...scaled, gradients: gradients.map((v) => (v === GAP ? GAP : v * scale)) }
        const named = { ...attrs, clip, unscale: 'unscale' }
        scaled = await stepOnDevice(device, op, set, state, norm, named, { ...plain, unscale: 1 / scale })
        for (const arena of ['parameters', 'moment1', 'moment2'] as const)
          sameBits(scaled[arena], plainly[arena], { name: `${arena}, 2^${exponent}` })
      }
    }
  })

  onEveryIsa(test, 'a segment that is not trainable stays as it is, gradient included', async (device) => {
    const state = { ...startingState(set), gradients: gradientsOf(set, 3) }
    const next = await stepOnDevice(device, op, set, state, 1, attrs, plain)
    const { offset, size } = set.segments.find(({ name }) => name === 'frozen')!
    for (const arena of ARENAS)
      sameBits(next[arena].subarray(offset, offset + size), state[arena].subarray(offset, offset + size), {
        name: arena,
      })
  })

  test('an eps that is not positive is refused', () => {
    const f32 = { shape: [64], dtype: 'f32' as const }
    const i32 = (n: number) => ({ shape: [1, n], dtype: 'i32' as const })
    const inputs = [f32, f32, f32, f32, i32(3), i32(2), { shape: [1], dtype: 'f32' as const }]
    assert.throws(() => op.infer(inputs, { ...attrs, eps: 0 }), /eps is 0 \(want a positive number\)/)
    assert.throws(
      () => op.infer([f32, f32, f32, f32, i32(2), i32(2), inputs[6]], attrs),
      /table is \[1,2\] i32/,
    )
  })
}
