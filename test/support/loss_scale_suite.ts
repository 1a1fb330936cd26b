/**
 * What loss scaling owes on every device, by a small model in f32: a scale is a power of two, so no bit may depend on it, and
 * one that is far too large makes gradients of f32 infinite, as an ordinary one does those of f16. A run that left steps out is
 * held against one without scaling that never had those steps.
 */
import type { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import {
  type Capture,
  crossEntropy,
  layernorm,
  linear,
  linearGelu,
  mean,
  normal,
  type OptimizerSettings,
  ones,
  ParameterSet,
  Trainer,
  type TrainerOptions,
  type TrainerStep,
  zeros,
} from '../../src/index.js'
import { scale } from '../../src/ops/scale.js'
import { sameBits } from './allclose.js'
import { rejects } from './failure.js'
import { random } from './random.js'

const [ROWS, IN, HIDDEN, CLASSES] = [24, 10, 16, 5]

/** `by` multiplies the loss. */
function model(by: number) {
  const parameters = new ParameterSet()
  const layer = (name: string, out: number, of: number) => ({
    weight: parameters.add(`${name}.weight`, [out, of], { init: normal(0.3) }),
    bias: parameters.add(`${name}.bias`, [out], { init: zeros }),
  })
  const [first, second] = [layer('first', HIDDEN, IN), layer('second', CLASSES, HIDDEN)]
  const norm = {
    weight: parameters.add('norm.weight', [HIDDEN], { init: ones, decay: false, adapt: false }),
    bias: parameters.add('norm.bias', [HIDDEN], { init: zeros, decay: false, adapt: false }),
  }
  const loss = (capture: Capture) => {
    const hidden = linearGelu(capture.input('x', [ROWS, IN]), capture.layer(first))
    const logits = linear(layernorm(hidden, capture.layer(norm)), capture.layer(second))
    const found = mean(crossEntropy(logits, capture.input('labels', [ROWS], 'i32')).loss)
    return by === 1 ? found : capture.apply(scale, [found], { by, scalar: '' })[0]
  }
  return { parameters, loss }
}

/** Batch number `step`, from 1. */
function batch(step: number) {
  const draw = random(50 + step)
  return { x: draw.normals(ROWS * IN), labels: draw.integers(ROWS, 0, CLASSES) }
}

const ARENAS = ['parameters', 'moment1', 'moment2'] as const
type Arenas = Record<(typeof ARENAS)[number], Float32Array>

async function arenas({ runtime }: Trainer): Promise<Arenas> {
  const [parameters, moment1, moment2] = [
    await runtime.readState('parameters'),
    await runtime.readState('moment1'),
    await runtime.readState('moment2'),
  ]
  return { parameters, moment1, moment2 }
}

function same(found: Arenas, expected: Arenas, what: string): void {
  for (const name of ARENAS) sameBits(found[name], expected[name], { name: `${name} ${what}` })
}

type Options = Pick<TrainerOptions, 'lossScaling' | 'optimizer'> & { by?: number }

async function withTrainer<T>(
  device: Device,
  { by = 1, ...options }: Options,
  use: (trainer: Trainer) => Promise<T>,
) {
  const trainer = await Trainer.create({ device, ...model(by), ...options })
  try {
    return await use(trainer)
  } finally {
    trainer.free()
  }
}

const rate = (step: number) => 0.02 / step

/** Trains on some batches, one awaited before the next, and gives what came of each and the state at the end. */
function train(device: Device, options: Options, batches: readonly number[]) {
  return withTrainer(device, options, async (trainer) => {
    const steps: TrainerStep[] = []
    for (const number of batches) steps.push(await trainer.step(batch(number), rate(number)))
    return { steps, end: await arenas(trainer) }
  })
}

const upTo = (steps: number) => Array.from({ length: steps }, (_, i) => i + 1)
const figures = (steps: readonly TrainerStep[]) => steps.map(({ loss, gradNorm }) => [loss, gradNorm])

/** Adds the tests for a device. */
export function lossScaleSuite(test: ReturnType<typeof suite>, device: Device, steps = 12): void {
  const optimizers: Partial<OptimizerSettings>[] = [
    { name: 'lamb', clip: 0.5 },
    { name: 'adamw', biasCorrection: true },
  ]
  for (const optimizer of optimizers)
    test(`no bit depends on the scale, fixed or growing: ${optimizer.name}`, async () => {
      const plain = await train(device, { optimizer }, upTo(steps))
      for (const lossScaling of [
        ...[0, 1, 7, 16].map((exponent) => ({ start: 2 ** exponent, interval: 1000 })),
        { start: 1, interval: 2 },
      ]) {
        const scaled = await train(device, { optimizer, lossScaling }, upTo(steps))
        const what = `from ${lossScaling.start}`
        assert.equal(figures(scaled.steps), figures(plain.steps), what)
        same(scaled.end, plain.end, what)
      }
    })

  /** Doubles after every good step, and so comes from afar to where f32 ends, again and again. */
  const growing = { start: 2 ** 88, interval: 1, max: 2 ** 100 }
  const high: Options = { by: 2 ** 32, optimizer: { name: 'lamb', clip: 0 }, lossScaling: growing }

  test('a step that overflows leaves all as it is, and the run is that without it', async () => {
    const many = 2 * steps
    const left: number[] = []
    const scales: number[] = []
    const end = await withTrainer(device, high, async (trainer) => {
      let before = await arenas(trainer)
      for (const number of upTo(many)) {
        const { gradNorm, loss, lossScale = 0 } = await trainer.step(batch(number), rate(number))
        assert.ok(Number.isFinite(loss), 'the loss is as always')
        const after = await arenas(trainer)
        scales.push(lossScale)
        if (!Number.isFinite(gradNorm)) {
          left.push(number)
          same(after, before, `left out at step ${number}`)
        }
        before = after
      }
      const { skipped = 0, last } = trainer.lossScale ?? {}
      assert.is(skipped + (last?.finite ? 0 : 1), left.length)
      return before
    })
    assert.ok(left.length >= 2 && left.length < many / 2, `left out: ${left}`)
    assert.ok(left[0] > 3, 'moments are there when the first overflows')
    // the step behind one that overflows knows nothing of it yet
    for (const number of left)
      assert.ok(scales[number + 1] === undefined || scales[number + 1] < scales[number - 1])
    const rest = await train(
      device,
      { ...high, lossScaling: false },
      upTo(many).filter((number) => !left.includes(number)),
    )
    same(end, rest.end, 'without these steps')
  })

  test('steps that are asked for all at once get the scales of steps one by one', async () => {
    const one = await train(device, high, upTo(2 * steps))
    const all = await withTrainer(device, high, async (trainer) => ({
      steps: await Promise.all(upTo(2 * steps).map((number) => trainer.step(batch(number), rate(number)))),
      end: await arenas(trainer),
    }))
    assert.equal(all.steps, one.steps)
    same(all.end, one.end, 'all at once')
  })

  test('gradients that overflow at the smallest scale end the run, and change nothing', async () => {
    const lossScaling = { start: 2 ** 100, min: 2 ** 99, max: 2 ** 100 }
    await withTrainer(device, { by: 2 ** 40, lossScaling }, async (trainer) => {
      const before = await arenas(trainer)
      // two know nothing of an overflow
      for (const number of [1, 2]) {
        const found = await trainer.step(batch(number), rate(number))
        assert.not(Number.isFinite(found.gradNorm))
      }
      await rejects(
        trainer.step(batch(3), rate(3)),
        /^step 3: the norm of the gradients is (NaN|Infinity) at the smallest loss scale, 6\.3\d+e\+29: the run diverges/,
      )
      same(await arenas(trainer), before, 'after three overflows')
    })
  })
}
