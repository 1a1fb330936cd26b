/**
 * Losses of whole short runs on another device stay with the CPU's: pretraining of a nano ALBERT by LAMB, and fine-tuning of a
 * tagger by AdamW through the loop that `finetune entities` runs, both with dropout, warm-up and ragged batches. Differences
 * of rounding grow from step to step, so this says more of training than a few steps do.
 */
import type { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { preset } from '../../src/model/config.js'
import type { Example } from '../../src/model/head.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { capacityOf } from '../../src/training/finetuning/batches.js'
import { captureTraining, train } from '../../src/training/finetuning/loop.js'
import { initialValues } from '../../src/training/initialize.js'
import { DEFAULT_OPTIMIZER, optimizerInputs } from '../../src/training/optimizer.js'
import { mlmScale, pretrainingPrograms } from '../../src/training/pretraining/programs.js'
import { allclose } from './allclose.js'
import { batchOf, capacity, vocabulary } from './device_steps.js'
import { random } from './random.js'

/** Updates of a run. */
const STEPS = 50
/** Largest difference of a loss, of its value. */
const TOLERANCE = 1e-3

const config = preset('nano', vocabulary, { dropout: 0.1 })
/** Up for a fifth of the run, then down to nothing. */
const rate = (peak: number) => (step: number) =>
  peak * Math.min((5 * (step + 1)) / STEPS, ((STEPS - step) / STEPS) * 1.25)

/** Losses of pretraining, over and over on a few batches, which it comes to know. */
async function pretrained(device: Device): Promise<number[]> {
  const { parameters, graphs } = pretrainingPrograms(config, capacity, DEFAULT_OPTIMIZER)
  const runtime = new Runtime(device, parameters, { step: graphs.step })
  const losses: number[] = []
  const lr = rate(0.01)
  try {
    await runtime.writeState('parameters', initialValues(parameters, 7))
    for (let step = 0; step < STEPS; step++) {
      const { inputs, rows, sequences, masked } = batchOf(step % 4)
      const scales = { mlm_scale: mlmScale(masked), sop_scale: 1 / sequences }
      const sizes = { rows, sequences, masked }
      const update = { seed: 3, draw: step, lr: lr(step), correction1: 1, correction2: 1 }
      const tables = optimizerInputs(parameters)
      await runtime.run('step', { ...inputs, ...tables }, { ...sizes, ...scales, ...update })
      losses.push((await runtime.read('step', 'loss'))[0])
    }
    return losses
  } finally {
    runtime.free()
  }
}

/** Sentences whose words tell their tags: some begin an entity, some go on with one. */
const sentences: readonly Example[] = (() => {
  const r = random(17)
  return Array.from({ length: 40 }, (_, item) => {
    const words = r.integers(r.integer(3, 14), 5, vocabulary)
    const tags = words.map((id) => (id % 5 === 0 ? 1 : id % 5 === 1 ? 2 : 0))
    const ids = Int32Array.of(2, ...words, 3)
    return { ids, scored: Int32Array.from(words, (_, i) => i + 1), targets: tags, item }
  })
})()

/** Losses of fine-tuning. */
async function finetuned(device: Device): Promise<number[]> {
  const parameters = new ParameterSet()
  const model = tokenHead.declare(parameters, config, 3)
  const optimizer = { ...DEFAULT_OPTIMIZER, name: 'adamw', biasCorrection: true } as const
  const sizes = capacityOf(40, 16)
  const graphs = captureTraining(parameters, tokenHead, model, sizes, optimizer, {})
  const runtime = new Runtime(device, parameters, graphs)
  const losses: number[] = []
  try {
    await runtime.writeState('parameters', initialValues(parameters, 9))
    const start = { step: 0, draw: 0 }
    const settings = {
      totalSteps: STEPS,
      batchSize: 6,
      capacity: sizes,
      seed: 5,
      optimizer,
      rate: rate(3e-3),
    }
    await train(runtime, tokenHead, sentences, settings, start, {
      onStep: ({ loss }) => {
        losses.push(loss)
        return true
      },
    })
    return losses
  } finally {
    runtime.free()
  }
}

/** Adds the tests of a device. */
export function staysWithTheCpu(test: ReturnType<typeof suite>, device: Device): void {
  const runs = { pretraining: pretrained, 'fine-tuning of a tagger': finetuned }
  for (const [name, losses] of Object.entries(runs))
    test(`losses of ${STEPS} steps of ${name} stay within ${TOLERANCE} of the CPU's`, async () => {
      const cpu = openCpu({ threads: 2 })
      const want = await losses(cpu)
      await cpu.destroy()
      const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length
      assert.is(want.length, STEPS)
      // a run that learns nothing would agree with anything
      assert.ok(mean(want.slice(-5)) < 0.8 * mean(want.slice(0, 5)), `the CPU's losses: ${want.join(' ')}`)
      allclose(await losses(device), want, { rtol: TOLERANCE, atol: 0, name: 'losses' })
    })
}
