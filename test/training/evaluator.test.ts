/** Running a model forward: on parameters of its own, on those of a trainer, at run-time sizes. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import {
  argmax,
  type Capture,
  crossEntropy,
  dynamic,
  Evaluator,
  linear,
  loadParameters,
  matmul,
  mean,
  normal,
  ParameterSet,
  saveParameters,
  type Tensor,
  Trainer,
  zeros,
} from '../../src/index.js'
import { linear as linearOp } from '../../src/ops/linear.js'
import { packInt8 } from '../../src/ops/pack_int8.js'
import { allclose, sameBits } from '../support/allclose.js'
import { withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('evaluator')

const [ROWS, IN, OUT] = [40, 7, 5]
const rows = dynamic('rows', ROWS)

/** One dense layer, its logits and the class that they name. */
function model() {
  const parameters = new ParameterSet()
  const weight = parameters.add('weight', [OUT, IN], { init: normal(0.5) })
  const bias = parameters.add('bias', [OUT], { init: zeros })
  const logitsOf = (capture: Capture): Tensor =>
    linear(capture.input('x', [rows, IN]), {
      weight: capture.parameter(weight),
      bias: capture.parameter(bias),
    })
  const loss = (capture: Capture) =>
    mean(crossEntropy(logitsOf(capture), capture.input('labels', [rows], 'i32')).loss)
  const forward = (capture: Capture) => {
    const logits = logitsOf(capture)
    return { logits, best: argmax(logits), largest: mean(logits) }
  }
  return { parameters, weight, bias, loss, forward }
}

const draw = random(3)
const x = draw.normals(12 * IN)
const labels = draw.integers(12, 0, OUT)

const trainerOf = (device: Device, { parameters, loss }: ReturnType<typeof model>) =>
  Trainer.create({ device, parameters, loss, optimizer: { name: 'adamw' }, seed: 4 })

/** The logits of 12 rows in float64, from an arena. */
function expected({ weight, bias }: ReturnType<typeof model>, arena: Float32Array): Float64Array {
  return Float64Array.from({ length: 12 * OUT }, (_, e) => {
    const [n, o] = [Math.floor(e / OUT), e % OUT]
    let v = arena[bias.offset + o]
    for (let i = 0; i < IN; i++) v += x[n * IN + i] * arena[weight.offset + o * IN + i]
    return v
  })
}

test('alone it holds parameters and activations, no gradients and no moments', () =>
  withDevice({ threads: 2 }, async (device) => {
    const m = model()
    const before = device.bytes
    const evaluator = await Evaluator.create({ device, ...m, seed: 4 })
    const { gradientBytes, optimizerBytes, parameterBytes, activationBytes, totalBytes } = evaluator.memory
    assert.equal([gradientBytes, optimizerBytes], [0, 0])
    assert.is(totalBytes, parameterBytes + activationBytes)
    assert.ok(device.bytes - before < totalBytes + 4096, `${device.bytes - before} of ${totalBytes}`)
    const trainer = await trainerOf(device, model())
    sameBits(await evaluator.runtime.readState('parameters'), await trainer.runtime.readState('parameters'), {
      name: 'initial values of the same seed',
    })
    evaluator.free()
    trainer.free()
    assert.is(device.bytes, before)
  }))

test('outputs come by name, the rows that are there, integers as floats', () =>
  withDevice({ threads: 2 }, async (device) => {
    const m = model()
    const evaluator = await Evaluator.create({ device, ...m })
    const arena = await evaluator.runtime.readState('parameters')
    const { logits, best, largest } = await evaluator.run({ x }, { rows: 12 })
    const want = expected(m, arena)
    allclose(logits, want)
    const row = (n: number) => Array.from(want.subarray(n * OUT, (n + 1) * OUT))
    assert.equal(
      [...best],
      Array.from({ length: 12 }, (_, n) => row(n).indexOf(Math.max(...row(n)))),
    )
    allclose(largest, [want.reduce((a, b) => a + b) / want.length])
    // asked for at once, each has its own inputs
    const both = await Promise.all(
      [3, 12].map((n) => evaluator.run({ x: x.subarray(0, n * IN) }, { rows: n })),
    )
    sameBits(both[0].logits, logits.slice(0, 3 * OUT))
    sameBits(both[1].logits, logits)
    const few = await evaluator.run({ x: x.subarray(0, 3 * IN) }, { rows: 3 })
    sameBits(few.logits, logits.slice(0, 3 * OUT))
    assert.is(few.best.length, 3)
    evaluator.free()
  }))

test('on a trainer it sees every update, costs no parameters and does not disturb the training', () =>
  withDevice({ threads: 2 }, async (device) => {
    const m = model()
    const trainer = await trainerOf(device, m)
    const alone = await trainerOf(device, model())
    const evaluator = trainer.evaluator(m.forward)
    assert.is(evaluator.memory.parameterBytes, 0)
    assert.is(evaluator.memory.totalBytes, evaluator.memory.activationBytes)
    let last: Float32Array | undefined
    for (let step = 0; step < 4; step++) {
      const found = await trainer.step({ x, labels }, 0.1, { rows: 12 })
      assert.equal(found, await alone.step({ x, labels }, 0.1, { rows: 12 }))
      const { logits } = await evaluator.run({ x }, { rows: 12 })
      allclose(logits, expected(m, await trainer.runtime.readState('parameters')))
      assert.ok(!last || logits.some((v, i) => v !== last?.[i]), 'the update is not seen')
      last = logits
    }
    // in either order the parameters live as long as somebody has them
    const before = device.bytes
    trainer.free()
    sameBits((await evaluator.run({ x }, { rows: 12 })).logits, last!)
    evaluator.free()
    assert.ok(device.bytes < before)
    assert.throws(() => trainer.evaluator(m.forward), /parameters that have been freed/)
    alone.free()
  }))

test('a weight that is prepared follows the updates of the trainer', () =>
  withDevice({ threads: 2 }, async (device) => {
    const m = model()
    const trainer = await trainerOf(device, m)
    const evaluator = trainer.evaluator((capture) => {
      const weight = capture.prepare(packInt8, capture.parameter(m.weight), {})
      const bias = capture.parameter(m.bias)
      return { y: capture.apply(linearOp, [capture.input('x', [rows, IN]), weight, bias], {})[0] }
    })
    for (let step = 0; step < 3; step++) {
      const { y } = await evaluator.run({ x }, { rows: 12 })
      const want = expected(m, await trainer.runtime.readState('parameters'))
      allclose(y, want, { rtol: 0.02, atol: 0.05, name: `step ${step}` })
      await trainer.step({ x, labels }, 0.5, { rows: 12 })
    }
    await trainer.runtime.writeState('parameters', new Float32Array(m.parameters.arenaElements))
    assert.ok((await evaluator.run({ x }, { rows: 12 })).y.every((v) => v === 0))
    evaluator.free()
    trainer.free()
  }))

test('what was trained and saved runs elsewhere to the same bits', () =>
  withDevice({ threads: 2 }, async (device) => {
    const path = join(temporaryFolder(), 'own.safetensors')
    const m = model()
    const trainer = await trainerOf(device, m)
    for (let step = 0; step < 3; step++) await trainer.step({ x, labels }, 0.1, { rows: 12 })
    const here = trainer.evaluator(m.forward)
    await saveParameters(path, trainer)
    const there = await Evaluator.create({ device, ...model(), seed: 9 })
    await loadParameters(path, there)
    sameBits((await there.run({ x }, { rows: 12 })).logits, (await here.run({ x }, { rows: 12 })).logits)
  }))

test('mistakes are named', () =>
  withDevice({}, async (device) => {
    const m = model()
    const create = (forward: (capture: Capture) => Record<string, Tensor>) =>
      Evaluator.create({ device, parameters: m.parameters, forward }).then(
        () => 'nothing was refused',
        (error: Error) => error.message,
      )
    assert.match(await create(() => ({})), /forward: it returns no tensor/)
    assert.match(
      await create((capture) => ({ y: matmul(capture.input('x', [2, 3]), capture.input('y', [2, 3])) })),
      /matmul: a is \[2,3\]/,
    )
    const evaluator = await Evaluator.create({ device, ...m })
    const run = (inputs: Record<string, Float32Array>) =>
      evaluator.run(inputs, { rows: 12 }).then(
        () => 'nothing was refused',
        (error: Error) => error.message,
      )
    assert.match(await run({}), /input x is missing/)
    assert.match(await run({ x, z: x }), /no input z/)
    evaluator.free()
    const trainer = await trainerOf(device, m)
    m.parameters.add('late', [3], { init: zeros })
    assert.throws(() => trainer.evaluator(m.forward), /shares 40 parameters, but 43 are declared by now/)
    trainer.free()
  }))

test.run()
