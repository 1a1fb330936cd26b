/**
 * Fine-tuning with loss scaling, in f32 on the CPU: no bit depends on the scale, steps that overflow are left out, and a run that
 * was stopped between them, in either of its phases, ends in the same bits.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../../src/device/cpu.js'
import type { Step } from '../../../src/training/finetuning/loop.js'
import { loadTask } from '../../../src/training/finetuning/model.js'
import { openTask } from '../../../src/training/finetuning/model_node.js'
import type { FinetuneOptions } from '../../../src/training/finetuning/setup.js'
import { rejects } from '../../support/failure.js'
import { overflowing } from '../../support/overflowing.js'
import { temporaryFolder } from '../../support/temporary.js'
import { toyFolder, toyOptions, toyRun } from '../../support/toy_run.js'

const test = suite('fine-tuning with loss scaling')

const folder = toyFolder()
const newOut = () => join(temporaryFolder(), 'o')
const weights = (out: string) => readFileSync(join(out, 'model.safetensors'))
const log = (out: string) =>
  readFileSync(join(out, 'log.jsonl'), 'utf8').replace(/,"tokens_per_second":\d+/g, '')

/** Dropout, accumulation, and moments whose age counts. */
const STEPS = 16
const options = (more: Partial<FinetuneOptions> = {}): FinetuneOptions =>
  toyOptions(folder, {
    ...{ dropout: 0.1, rows: 128, biasCorrection: true, warmup: 0 },
    ...{ totalSteps: STEPS, evalEvery: 6, learningRate: 2 ** -10, ...more },
  })

/** Halved down to 2^13, but for one micro-batch that overflows at any scale, and doubled after four good steps. */
const lossScaling = { start: 2 ** 15, interval: 4 }
const wrap = (device: Parameters<typeof overflowing>[0]) =>
  overflowing(device, 2 ** 13, ({ draw }) => draw === 20)
const scaled = (more: Partial<FinetuneOptions> = {}) => options({ lossScaling, ...more })

async function stop(of: FinetuneOptions, step: number, out: string, resume = false): Promise<void> {
  let reached = 0
  const hooks = {
    onStep: (done: Step) => {
      reached = done.step
    },
    interrupted: () => reached >= step - 1,
  }
  await rejects(toyRun(of, { out, hooks, resume, wrap }), /--resume/)
}

const whole = newOut()
const seen: Step[] = []
const result = await toyRun(scaled(), { out: whole, wrap, hooks: { onStep: (step) => void seen.push(step) } })

test('no bit depends on the scale, fixed or growing', async () => {
  const plain = newOut()
  const expected = await toyRun(options(), { out: plain })
  assert.is(expected.skipped_steps, undefined)
  for (const lossScaling of [{ start: 1 }, {}, { start: 2, interval: 1 }]) {
    const out = newOut()
    const found = await toyRun(options({ lossScaling }), { out })
    assert.ok(weights(out).equals(weights(plain)), `from ${lossScaling.start}`)
    assert.equal([found.dev, found.test, found.skipped_steps], [expected.dev, expected.test, 0])
  }
})

test('steps that overflow are counted, told and left out', () => {
  const left = seen.filter(({ gradNorm }) => !Number.isFinite(gradNorm)).map(({ step }) => step)
  assert.equal(left.slice(0, 4), [1, 2, 3, 4])
  assert.ok(left.some((step) => seen[step - 1].lossScale! <= 2 ** 13))
  assert.is(result.skipped_steps, left.length)
  assert.is(seen.at(-1)!.skippedSteps, left.length)
  assert.equal(
    seen.slice(0, 6).map(({ lossScale }) => Math.log2(lossScale!)),
    [15, 15, 14, 14, 13, 13],
  )
  assert.match(log(whole), /"step":2,.*"grad_norm":null,"loss_scale":32768,"skipped_steps":2\}/)
})

test('stopped after any step and resumed it ends in the same bits', async () => {
  const out = newOut()
  for (const step of [2, 3, 5, 8, 11, 14]) await stop(scaled(), step, out, step > 2)
  const found = await toyRun(scaled(), { out, wrap, resume: true })
  assert.ok(weights(out).equals(weights(whole)))
  assert.is(log(out), log(whole))
  assert.equal([found.test, found.skipped_steps], [result.test, result.skipped_steps])
})

test('training again on train and dev begins with the first scale, and counts on', async () => {
  const again = scaled({ retrain: true })
  const expected = newOut()
  const undisturbed = await toyRun(again, { out: expected, wrap })
  assert.ok(undisturbed.skipped_steps! >= result.skipped_steps! + 4)
  const out = newOut()
  for (const step of [7, STEPS + 2, STEPS + 5]) await stop(again, step, out, step > 7)
  const found = await toyRun(again, { out, wrap, resume: true })
  assert.ok(weights(out).equals(weights(expected)))
  assert.is(log(out), log(expected))
  assert.is(found.skipped_steps, undisturbed.skipped_steps)
})

test('a new run takes over scale, order of the examples and age of the moments', async () => {
  const once = scaled({ evalEvery: 100 })
  const expected = newOut()
  await toyRun(once, { out: expected, wrap })
  const half = newOut()
  await stop(once, 8, half)
  const { tokenizer: _, preset: __, ...rest } = once
  const out = newOut()
  const more = { totalSteps: 8, learningRate: 2 ** -11, continueFrom: half }
  await toyRun({ ...rest, ...more }, { out, wrap })
  assert.ok(weights(out).equals(weights(expected)))
})

test('gradients that overflow at the smallest scale end the run', async () => {
  const all = (device: Parameters<typeof overflowing>[0]) => overflowing(device, 0)
  await rejects(
    toyRun(options({ lossScaling: { start: 2, min: 1 } }), { out: newOut(), wrap: all }),
    /^step 3: the norm of the gradients is (NaN|-?Infinity) at the smallest loss scale, 1: the run diverges; a lower --learning-rate may help$/,
  )
})

test('other settings of the scale are no resumption, nor is f16', async () => {
  const out = newOut()
  await stop(scaled(), 5, out)
  await rejects(toyRun(scaled({ lossScaling: { start: 2 } }), { out, resume: true }), /loss_scaling/)
})

test('f16 is refused where a device has it not, naming bf16, before anything is written', async () => {
  const out = newOut()
  const says = /^precision f16 is not there on cpu \(.*\) \(want bf16\)$/
  await rejects(toyRun(options({ precision: 'f16' }), { out }), says)
  assert.not(existsSync(out))
  const device = openCpu({ threads: 1 })
  try {
    await rejects(loadTask(openTask(whole), device, 'f16'), says)
  } finally {
    await device.destroy()
  }
})

test.run()
