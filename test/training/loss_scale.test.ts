/** Dynamic loss scaling: how a scale follows from what steps come to, and that nothing else follows from it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import {
  DEFAULT_LOSS_SCALING,
  LossScaler,
  type LossScaleState,
  lossScaling,
} from '../../src/training/loss_scale.js'
import { lossScaleSuite } from '../support/loss_scale_suite.js'
import { random } from '../support/random.js'

const test = suite('loss scaling')

const NAN = Number.NaN

/** The scales of steps that end as `norms` say, each awaited before the next. */
function scales(settings: Parameters<typeof lossScaling>[0], norms: readonly number[]): number[] {
  const scaler = new LossScaler(lossScaling(settings))
  return norms.map((norm, i) => {
    const { scale } = scaler.begin(i + 1)
    scaler.report(i + 1, scale, norm)
    return scale
  })
}

test('good steps in a row double it, up to the largest', () => {
  // the step behind the third does not know of it yet
  assert.equal(scales({ start: 4, interval: 3, max: 16 }, Array(12).fill(1)), [
    ...[4, 4, 4, 4],
    ...[8, 8, 8],
    ...[16, 16, 16, 16, 16],
  ])
})

test('an overflow halves it, once for the step behind as well, and begins the count anew', () => {
  assert.equal(
    scales({ start: 64, interval: 3 }, [1, 1, NAN, NAN, Infinity, 1, 1, 1, 1, 1, 1, 1]),
    [64, 64, 64, 64, 32, 32, 16, 16, 16, 32, 32, 32],
  )
})

test('the smallest scale is kept while gradients are finite, and an overflow at it ends the run', () => {
  const scaler = new LossScaler(lossScaling({ start: 4, min: 2 }))
  for (const step of [1, 2]) assert.is(scaler.report(step, scaler.begin(step).scale, NAN), true)
  assert.is(scaler.begin(3).scale, 2)
  assert.is(scaler.report(3, 2, 0.5), false)
  assert.is(scaler.begin(4).scale, 2)
  assert.throws(
    () => scaler.report(4, 2, Infinity, () => '; what may help'),
    /^step 4: the norm of the gradients is Infinity at the smallest loss scale, 2: the run diverges; what may help$/,
  )
  assert.is(scaler.skipped, 2)
})

/** The norm of a step: few overflow where the scale is small, most where it is large. */
function normOf(scale: number, draw: ReturnType<typeof random>): number {
  return draw.uniform() < (scale > 256 ? 0.8 : 0.05) ? NAN : 1
}

test('queued ahead or not, stopped anywhere and taken up from JSON, steps get the same scales', () => {
  const settings = lossScaling({ start: 2 ** 10, interval: 5 })
  const STEPS = 300
  for (let seed = 0; seed < 20; seed++) {
    // what a step comes to depends on its number and scale alone
    const norm = (step: number, scale: number) => normOf(scale, random(1000 * seed + step))
    const run = (isAhead: (step: number) => boolean, stopsAfter: (step: number) => boolean) => {
      let scaler = new LossScaler(settings)
      const begun: { scale: number; skipped: number }[] = []
      let reported = 0
      const report = (step: number) => {
        reported = step
        scaler.report(step, begun[step - 1].scale, norm(step, begun[step - 1].scale))
      }
      for (let step = 1; step <= STEPS; step++) {
        begun.push(scaler.begin(step))
        const known = isAhead(step) && step < STEPS ? step - 1 : step
        while (reported < known) report(reported + 1)
        if (known < step || !stopsAfter(step)) continue
        const state: LossScaleState = JSON.parse(JSON.stringify(scaler.state()))
        scaler = new LossScaler(settings, state)
      }
      return { begun, skipped: scaler.skipped }
    }
    const never = () => false
    const whole = run(never, never)
    const [a, b] = [random(seed), random(seed + 77)]
    assert.ok(whole.skipped > 20)
    assert.equal(
      run(() => a.uniform() < 0.7, never),
      whole,
    )
    assert.equal(
      run(
        () => a.uniform() < 0.5,
        () => b.uniform() < 0.5,
      ),
      whole,
    )
  }
})

test('the settings are the usual ones, and those that cannot be are refused', () => {
  assert.equal(lossScaling(), { start: 65536, interval: 2000, min: 1, max: 2 ** 24 })
  assert.equal(lossScaling({ start: 8 }), { ...DEFAULT_LOSS_SCALING, start: 8 })
  assert.throws(() => lossScaling({ start: 3 }), /start is 3 \(want a power of two/)
  assert.throws(() => lossScaling({ min: 0 }), /min is 0 \(want a power of two/)
  assert.throws(() => lossScaling({ max: 2 ** 101 }), /max is 2\.5\d+e\+30 \(want a power of two/)
  assert.throws(
    () => lossScaling({ start: 2 ** 25 }),
    /start is 33554432 \(want one from min 1 to max 16777216\)/,
  )
  assert.throws(() => lossScaling({ interval: 0 }), /interval is 0 \(want a whole number/)
})

const device = openCpu({ threads: 2 })
lossScaleSuite(test, device)
test('the device closes', () => device.destroy())

test.run()
