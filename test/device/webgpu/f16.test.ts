/**
 * Models in f16 on WebGPU against f32 on the CPU. An f16 has three bits more than a bf16, so what f16 is off by, in hidden states, losses
 * and gradients, is at most a quarter of what bf16 on the CPU is off by: an eighth, twice.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture } from '../../../src/autograd/tensor.js'
import { openCpu } from '../../../src/device/cpu.js'
import type { Device } from '../../../src/device/device.js'
import { ParameterSet } from '../../../src/graph/parameters.js'
import { Runtime } from '../../../src/graph/runtime.js'
import { type ModelConfig, preset } from '../../../src/model/config.js'
import { batchInputs, encode } from '../../../src/model/encoder.js'
import { declarePretraining, pretrainingLoss } from '../../../src/model/pretraining.js'
import type { FloatType, Precision } from '../../../src/ops/shape.js'
import { initialValues } from '../../../src/training/initialize.js'
import { DEFAULT_OPTIMIZER, optimizerInputs } from '../../../src/training/optimizer.js'
import { refusePrecision } from '../../../src/training/precision.js'
import { mlmScale, pretrainingPrograms } from '../../../src/training/pretraining/programs.js'
import { sameBits } from '../../support/allclose.js'
import { type Batch, batchOf, capacity, train, vocabulary } from '../../support/device_steps.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('models in f16')

/** Heads of 16, 64 and 12; layers that share their weights and that do not, at offsets that WebGPU cannot bind. */
const cases: [string, ModelConfig, boolean][] = [
  ['albert', preset('nano', vocabulary, { dropout: 0.1 }), false],
  [
    'albert of relu, recomputed',
    preset('nano', vocabulary, { hiddenSize: 128, heads: 2, dropout: 0.1, gelu: 'relu' }),
    true,
  ],
  ['bert', preset('bert-nano', vocabulary, { dropout: 0.1, hiddenSize: 48, intermediateSize: 72 }), false],
]

const scalarsOf = (batch: Batch, factor: number) => ({
  ...{ rows: batch.rows, sequences: batch.sequences, masked: batch.masked, seed: 3, draw: 1 },
  ...{ mlm_scale: factor * mlmScale(batch.masked), sop_scale: factor / batch.sequences },
})

/** Hidden states, loss and gradients of a batch; the loss is multiplied on its way, as loss scaling does. */
async function compute(device: Device, config: ModelConfig, precision: FloatType, recompute: boolean) {
  const factor = precision === 'f16' ? 1024 : 1
  const set = new ParameterSet()
  const model = declarePretraining(set, config)
  const forward = new Capture(set)
  forward.output(
    'states',
    encode(forward, model.encoder, config, batchInputs(forward, capacity), { training: true, precision }),
  )
  const backward = new Capture(set)
  backward.backward(pretrainingLoss(backward, model, capacity, { training: true, recompute, precision }))
  const runtime = new Runtime(device, set, { forward: forward.graph, backward: backward.graph })
  try {
    await runtime.writeState('parameters', initialValues(set, 7))
    const batch = batchOf(0)
    const scalars = scalarsOf(batch, factor)
    const { ids, segments, positions, cu_seqlens } = batch.inputs
    await runtime.run('forward', { ids, segments, positions, cu_seqlens }, scalars)
    const states = await runtime.read('forward', 'states', batch.rows)
    await runtime.run('backward', batch.inputs, scalars)
    const losses = (await runtime.read('backward', 'loss')).map((loss) => loss / factor)
    const gradients = (await runtime.readState('gradients')).map((g) => g / factor)
    return { states, losses, gradients }
  } finally {
    runtime.free()
  }
}

/** ||a - b|| / ||b|| */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0]
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return Math.sqrt(difference / norm)
}

const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'models in f16', opened.reason)
else {
  const { device } = opened
  const cpu = openCpu({ threads: 2 })

  for (const [name, config, recompute] of cases)
    test(`${name}: hidden states and gradients, off by at most a quarter of what bf16 is`, async () => {
      const [want, coarse, found] = [
        await compute(cpu, config, 'f32', recompute),
        await compute(cpu, config, 'bf16', recompute),
        await compute(device, config, 'f16', recompute),
      ]
      for (const what of ['states', 'gradients'] as const) {
        const [off, most] = [distance(found[what], want[what]), distance(coarse[what], want[what]) / 4]
        assert.ok(off <= most, `${what} are off by ${off}, at most ${most}`)
        // in f32 it would be 1e-6
        assert.ok(off > 2 ** -14, `${what} are off by ${off} only`)
      }
      assert.ok(Math.abs(found.losses[0] - want.losses[0]) < 2 ** -11 * want.losses[0])
    })

  test('the same step gives the same bits, whether activations are kept or computed again', async () => {
    const [one, two] = [
      await compute(device, cases[0][1], 'f16', false),
      await compute(device, cases[0][1], 'f16', true),
    ]
    for (const what of ['states', 'losses', 'gradients'] as const)
      sameBits(two[what], one[what], { name: what })
  })

  test('losses of some steps follow f32', async () => {
    const config = preset('nano', vocabulary, { dropout: 0.1 })
    const steps = 3
    const want = await train(cpu, config, {}, steps)
    const coarse = await train(cpu, config, { precision: 'bf16' }, steps)
    const found = await train(device, config, { precision: 'f16' }, steps)
    for (const what of ['losses', 'norms'] as const) {
      const [off, most] = [distance(found[what], want[what]), distance(coarse[what], want[what]) / 4]
      assert.ok(off <= most, `${what} are off by ${off}, at most ${most}`)
    }
    assert.ok(want.losses.every(Number.isFinite) && want.losses[0] !== want.losses[steps - 1])
  })

  test('gradients that f16 cannot hold make the norm infinite or no number, and the step changes nothing', async () => {
    const { parameters, graphs } = pretrainingPrograms(
      preset('nano', vocabulary),
      capacity,
      DEFAULT_OPTIMIZER,
      {
        precision: 'f16',
      },
    )
    const runtime = new Runtime(device, parameters, graphs)
    try {
      const values = initialValues(parameters, 7)
      await runtime.writeState('parameters', values)
      const batch = batchOf(0)
      const inputs = { ...batch.inputs, ...optimizerInputs(parameters) }
      const rates = { lr: 0.01, correction1: 1, correction2: 1 }
      await runtime.run('step', inputs, { ...scalarsOf(batch, 2 ** 40), ...rates })
      const [norm] = await runtime.read('step', 'grad_norm')
      assert.not.ok(Number.isFinite(norm), `${norm}`)
      sameBits(await runtime.readState('parameters'), values, { name: 'parameters' })
      await runtime.run('step', inputs, { ...scalarsOf(batch, 2 ** 10), ...rates })
      const [finite] = await runtime.read('step', 'grad_norm')
      assert.ok(Number.isFinite(finite) && finite > 0, `${finite}`)
    } finally {
      runtime.free()
    }
  })

  test('the CPU has no f16, and says so by the name of a kernel', () => {
    const { parameters, graphs } = pretrainingPrograms(
      preset('nano', vocabulary),
      capacity,
      DEFAULT_OPTIMIZER,
      { precision: 'f16' },
    )
    assert.throws(() => new Runtime(cpu, parameters, graphs), /the cpu device has no kernel \w+_f16/)
  })

  test('commands that are asked for what a device has not name what it has', () => {
    const refused = (precision: Precision, on: Device) => {
      try {
        refusePrecision(precision, on)
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`
      }
      return 'nothing'
    }
    assert.match(refused('f16', cpu), /^UsageError: precision f16 is not there on cpu \(.*\) \(want bf16\)$/)
    assert.match(
      refused('bf16', device),
      /^UsageError: precision bf16 is not there on webgpu \(.*\) \(want f16\)$/,
    )
    const none = { info: cpu.info, supports: () => false } as unknown as Device
    assert.match(refused('bf16', none), /\(want f32\)$/)
    for (const [precision, on] of [
      ['f32', cpu],
      ['bf16', cpu],
      ['int8', cpu],
      ['f16', device],
    ] as const)
      assert.is(refused(precision, on), 'nothing')
  })

  test('a model whose rows are not whole fours is refused with what they are', () => {
    const config = preset('nano', vocabulary, { hiddenSize: 40, intermediateSize: 30 })
    assert.throws(
      () => pretrainingPrograms(config, capacity, DEFAULT_OPTIMIZER, { precision: 'f16' }),
      (error: Error) =>
        error.name === 'UserError' &&
        error.message ===
          'precision f16: intermediate_size is 30, hidden_size / num_attention_heads is 10 (want multiples of four)',
    )
  })

  test('the devices close', async () => {
    await device.destroy()
    await cpu.destroy()
    assert.is(device.bytes, 0)
  })
}

test.run()
