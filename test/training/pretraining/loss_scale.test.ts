/**
 * Pretraining with loss scaling, in f32 on the CPU: no bit depends on the scale, steps that overflow are left out, and a run that
 * was stopped between any of them goes on to the same bits.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../../src/device/cpu.js'
import { type PretrainRun, pretrain, type StepLine } from '../../../src/training/pretraining/pretrain.js'
import type { PretrainChoices } from '../../../src/training/pretraining/settings.js'
import { setUpPretraining } from '../../../src/training/pretraining/setup.js'
import { rejects } from '../../support/failure.js'
import { type Overflow, overflowing } from '../../support/overflowing.js'
import { commandLine } from '../../support/paths.js'
import { pretrainingData } from '../../support/pretraining_case.js'

const test = suite('pretraining with loss scaling')

const data = await pretrainingData({ masking: 'dynamic' })

interface Run extends Partial<PretrainRun> {
  resume?: boolean
  continueFrom?: string
  /** Scales above it overflow, and what else does. */
  limit?: number
  also?: Overflow
}

/** Micro-batches of a step are 3 or more; dropout; moments whose age counts. */
const STEPS = 16
const common: PretrainChoices = {
  ...{ preset: 'nano', batch: 10, rows: 100, dropout: 0.1, biasCorrection: true, seed: 9 },
  ...{ totalSteps: STEPS, warmup: 0, learningRate: 1 / 64 },
}

async function run(name: string, choices: PretrainChoices, more: Run = {}) {
  const out = join(data.folder, name)
  const { resume = false, continueFrom, limit = Number.POSITIVE_INFINITY, also, ...rest } = more
  const { tokenizer, instances } = data
  const sources = { choices, instances, tokenizer, out, resume, continueFrom, evalInstances: 8 }
  const setup = await setUpPretraining(sources)
  const device = openCpu({ threads: 1 })
  try {
    const options = { out, evalEvery: 100, saveEvery: 2, keep: 100, ...rest }
    return await pretrain(setup, overflowing(device, limit, also), options)
  } finally {
    await device.destroy()
  }
}

const bytes = (path: string) => readFileSync(join(data.folder, path))
const weights = (out: string) => bytes(`${out}/model.safetensors`)
const moments = (out: string, step = STEPS) => bytes(`${out}/checkpoint-${step}/optimizer.safetensors`)
const state = (out: string, step = STEPS) =>
  JSON.parse(bytes(`${out}/checkpoint-${step}/state.json`).toString())
/** The log without what depends on the clock. */
const log = (out: string) =>
  bytes(`${out}/log.jsonl`)
    .toString()
    .replace(/,"tokens_per_second":\d+/g, '')
const lines = (out: string): StepLine[] =>
  log(out)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => 'lr' in line)

/** From a scale that is far too large, and grown again after three good steps. */
const lossScaling = { start: 2 ** 16, interval: 3 }
const limit = 2 ** 13
/** Where nothing else does, one micro-batch of a step overflows. */
const also: Overflow = ({ draw }) => draw === 30
const scaled = { ...common, lossScaling }

test('no bit depends on the scale, fixed or growing', async () => {
  await run('plain', common)
  for (const [name, settings] of Object.entries({
    one: { start: 1 },
    usual: {},
    growing: { start: 2, interval: 1 },
  })) {
    const { skipped } = await run(name, { ...common, lossScaling: settings })
    assert.is(skipped, 0)
    assert.ok(weights(name).equals(weights('plain')), `weights, ${name}`)
    assert.ok(moments(name).equals(moments('plain')), `moments, ${name}`)
    const figures = (out: string) => lines(out).map(({ loss, grad_norm }) => [loss, grad_norm])
    assert.equal(figures(name), figures('plain'))
  }
  assert.equal(
    lines('growing').map(({ loss_scale }) => loss_scale),
    [2, 2, ...Array.from({ length: STEPS - 2 }, (_, i) => 2 ** (i + 2))],
  )
})

test('scales that overflow are halved, steps left out are counted and change nothing', async () => {
  const { skipped } = await run('whole', scaled, { limit, also })
  const found = lines('whole')
  assert.equal(
    found.map(({ step }) => step),
    Array.from({ length: STEPS }, (_, i) => i + 1),
  )
  const left = found.filter(({ grad_norm }) => grad_norm === null).map(({ step }) => step)
  assert.is(skipped, left.length)
  assert.is(found.at(-1)!.skipped_steps, left.length)
  // two at each of 2^16, 2^15 and 2^14, and the ninth, one of whose micro-batches overflows
  assert.equal(left, [1, 2, 3, 4, 5, 6, 9])
  assert.equal(
    found.map(({ loss_scale }) => Math.log2(loss_scale!)),
    [16, 16, 15, 15, 14, 14, 13, 13, 13, 13, 12, 12, 12, 13, 13, 13],
  )
  // the schedule goes on over what is left out
  assert.equal(
    found.map(({ lr }) => lr),
    found.map(({ step }) => (1 - (step - 1) / STEPS) / 64),
  )
  for (const step of [2, 4, 6]) {
    assert.ok(moments('whole', step).equals(moments('whole', 2)), `moments at ${step}`)
    assert.ok(
      bytes(`whole/checkpoint-${step}/model.safetensors`).equals(
        bytes('whole/checkpoint-2/model.safetensors'),
      ),
    )
  }
})

function sameEnd(out: string): void {
  assert.ok(weights(out).equals(weights('whole')), `weights of ${out}`)
  assert.ok(moments(out).equals(moments('whole')), `moments of ${out}`)
  assert.equal(lines(out), lines('whole'))
  assert.equal(state(out).lossScale, state('whole').lossScale)
}

test('stopped after any step, or killed, and taken up, a run ends in the same bits', async () => {
  for (const steps of [1, 6, 9, 10]) {
    const out = `stopped${steps}`
    await run(out, scaled, { limit, also, steps })
    await run(out, {}, { limit, also, resume: true })
    sameEnd(out)
  }
  await run('killed', scaled, { limit, also, steps: 9 })
  // as a kill leaves it: the log tells of steps that no checkpoint has
  rmSync(join(data.folder, 'killed', 'checkpoint-9'), { recursive: true })
  await run('killed', {}, { limit, also, resume: true })
  sameEnd('killed')
})

test('a new run takes over scale, count and the age of the moments', async () => {
  const draws = state('whole', 8).draw
  assert.ok(draws > 0)
  const choices = { totalSteps: STEPS - 8, warmup: 0, learningRate: 1 / 128, lossScaling }
  await run('more', choices, { limit, also, continueFrom: join(data.folder, 'whole', 'checkpoint-8') })
  assert.ok(weights('more').equals(weights('whole')), 'weights')
  assert.ok(moments('more', STEPS - 8).equals(moments('whole')), 'moments')
  const figures = (line: StepLine) => [line.loss, line.lr, line.loss_scale]
  assert.equal(lines('more').map(figures), lines('whole').slice(8).map(figures))
})

test('a checkpoint that knows of no scale begins with the first one', async () => {
  await run('old', scaled, { steps: 2 })
  const file = join(data.folder, 'old', 'checkpoint-2', 'state.json')
  const { lossScale, ...before } = JSON.parse(readFileSync(file, 'utf8'))
  assert.is(lossScale.scale, 2 ** 16)
  writeFileSync(file, JSON.stringify(before))
  await run('old', {}, { resume: true, steps: 3 })
  assert.is(lines('old').at(-1)!.loss_scale, 2 ** 16)
})

test('a run without loss scaling keeps no word of it', async () => {
  await run('plainly', { ...common, totalSteps: 2 })
  assert.not('lossScale' in state('plainly', 2))
  assert.not('lossScaling' in state('plainly', 2).settings)
  assert.not(/scale|skipped/.test(log('plainly')))
})

test('gradients that overflow at the smallest scale end the run, with the last checkpoint', async () => {
  const settings = { start: 4, min: 1 }
  await rejects(
    run('diverged', { ...common, lossScaling: settings }, { limit: 0 }),
    /^step 5: the norm of the gradients is (NaN|-?Infinity) at the smallest loss scale, 1: the run diverges; the last good checkpoint: .*checkpoint-4 \(a lower --learning-rate/,
  )
  assert.equal(state('diverged', 4).lossScale, {
    ...{ scale: 1, good: 0, skipped: 3 },
    last: { step: 4, scale: 2, finite: false },
  })
})

test('a loss that is not finite ends the run whatever the scale', async () => {
  await rejects(
    run('lost', { ...scaled, learningRate: 1e30 }),
    /^step \d+: the (MLM|SOP) loss is (NaN|-?Infinity);/,
  )
})

function cli(line: string) {
  return spawnSync(process.execPath, [commandLine, ...line.split(' ')], {
    cwd: data.folder,
    encoding: 'utf8',
  })
}

test('f16 is refused where a device has it not, naming bf16, and nothing is written', () => {
  const { status, stderr } = cli(
    'pretrain --preset nano --instances i --tokenizer v --out f16 --precision f16',
  )
  assert.is(status, 2, stderr)
  assert.match(stderr, /precision f16 is not there on cpu \(.*\) \(want bf16\)/)
  assert.not(existsSync(join(data.folder, 'f16')))
})

test('a run is not resumed in f16', () => {
  const { status, stderr } = cli('pretrain --out old --resume --precision f16')
  assert.is(status, 2, stderr)
  assert.match(stderr, /the run was started with precision f32, not f16; a resumed run keeps its settings/)
  assert.ok(readdirSync(join(data.folder, 'old')).includes('checkpoint-3'))
})

test.run()
