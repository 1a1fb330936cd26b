/** Fine-tuning that goes on from the weights and moments of another run, and what --resume knows by itself. */
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Step } from '../../../src/training/finetuning/loop.js'
import type { FinetuneOptions } from '../../../src/training/finetuning/setup.js'
import { temporaryFolder } from '../../support/temporary.js'
import { toyFolder, toyOptions, toyRun } from '../../support/toy_run.js'

const test = suite('fine-tuning that goes on from another run')

const folder = toyFolder()
const newOut = () => join(temporaryFolder(), 'o')
const weights = (out: string) => readFileSync(join(out, 'model.safetensors'))

/** Dropout, accumulation, moments whose age counts; scored at the end only, so that the last weights are kept. */
const options = (more: Partial<FinetuneOptions> = {}): FinetuneOptions =>
  toyOptions(folder, {
    dropout: 0.1,
    rows: 128,
    biasCorrection: true,
    warmup: 0,
    totalSteps: 16,
    evalEvery: 100,
    learningRate: 2 ** -10,
    ...more,
  })
const goingOn = (continueFrom: string, more: Partial<FinetuneOptions> = {}): FinetuneOptions => {
  const { tokenizer: _, preset: __, ...rest } = options({ totalSteps: 8, learningRate: 2 ** -11, ...more })
  return { ...rest, continueFrom }
}

/** A run stopped after so many steps, whose folder then holds a checkpoint. */
async function stopped(of: FinetuneOptions, step: number, out = newOut()): Promise<string> {
  let reached = 0
  const hooks = {
    onStep: (done: Step) => {
      reached = done.step
    },
    // a step is queued behind the one that is heard of
    interrupted: () => reached >= step - 1,
  }
  await toyRun(of, { out, hooks }).then(
    () => assert.unreachable('was not interrupted'),
    (error) => assert.match(error.message, /--resume/),
  )
  return out
}

const whole = newOut()
const steps: Step[] = []
await toyRun(options(), { out: whole, hooks: { onStep: (step) => void steps.push(step) } })
const half = await stopped(options(), 8)

async function refused(run: Promise<unknown>, ...says: RegExp[]): Promise<void> {
  await run.then(
    () => assert.unreachable('was not refused'),
    (error) => {
      for (const pattern of says) assert.match(error.message, pattern)
    },
  )
}

test('half the rate over half the steps from the middle is the run that never stopped', async () => {
  const out = newOut()
  const seen: Step[] = []
  await toyRun(goingOn(half), { out, hooks: { onStep: (step) => void seen.push(step) } })
  const figures = ({ loss, lr, gradNorm, draw }: Step) => ({ loss, lr, gradNorm, draw })
  assert.equal(seen.map(figures), steps.slice(8).map(figures))
  assert.ok(weights(out).equals(weights(whole)))
})

test('so it is by way of two runs, and when it is stopped and resumed', async () => {
  const quarter = await stopped(goingOn(half), 4)
  const last = newOut()
  await toyRun(goingOn(quarter, { totalSteps: 4, learningRate: 2 ** -12 }), { out: last })
  assert.ok(weights(last).equals(weights(whole)))
  const { continueFrom: _, ...plain } = goingOn(half)
  await toyRun({ ...plain, resumeFrom: join(quarter, 'checkpoint-4') }, { out: quarter, resume: true })
  assert.ok(weights(quarter).equals(weights(whole)))
})

test('the encoder alone ends elsewhere', async () => {
  const out = newOut()
  const { continueFrom: model, ...plain } = goingOn(join(half, 'checkpoint-8'))
  await toyRun({ ...plain, model }, { out })
  assert.not(weights(out).equals(weights(whole)))
})

test('--resume needs neither model nor vocabulary', async () => {
  const out = newOut()
  cpSync(half, out, { recursive: true })
  const { tokenizer: _, preset: __, ...rest } = options()
  await toyRun({ ...rest, resumeFrom: join(out, 'checkpoint-8') }, { out, resume: true })
  assert.ok(weights(out).equals(weights(whole)))
  assert.ok(existsSync(join(out, 'tokenizer.json')), 'the vocabulary outlives its checkpoint')
})

test('--resume with another setting tells how to go on with it, both ways', async () => {
  const again = (more: Partial<FinetuneOptions>) => toyRun(options(more), { out: half, resume: true })
  await refused(
    again({ learningRate: 0.5 }),
    /checkpoint-8: the run had learning_rate 0\.0009765625, and now has 0\.5/,
    /To go on with the same run: --learning-rate 0\.0009765625\./,
    /with the other: --continue-from .*checkpoint-8 and a new --out/,
  )
  await refused(again({ biasCorrection: false }), /the same run: --bias-correction\./)
  await refused(
    again({ data: join(toyFolder({ train: 60, devel: 4, test: 4 }), 'd') }),
    /examples .*: the data that it/,
  )
})

test('other labels, another kind of run and two beginnings are refused', async () => {
  const typed = join(toyFolder(undefined, 'Sign'), 'd')
  await refused(
    toyRun(goingOn(half, { data: typed }), { out: newOut() }),
    /has the labels O, B, I, the data O, B-Sign/,
  )
  await refused(toyRun(goingOn(join(folder, 'd')), { out: newOut() }), /d: found no checkpoint/)
  await refused(toyRun({ ...options(), continueFrom: half }, { out: newOut() }), /--model .*--continue-from/)
})

test.run()
