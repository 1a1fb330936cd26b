/** Training again on train and dev together once weights were chosen on dev. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { temporaryFolder } from '../../support/temporary.js'
import { savedScores, toyFolder, toyOptions, toyRun } from '../../support/toy_run.js'

const test = suite('training again on train and dev')

const folder = toyFolder()
const newOut = () => join(temporaryFolder(), 'o')
const weights = (out: string) => readFileSync(join(out, 'model.safetensors'))
const options = toyOptions(folder, { totalSteps: 8, evalEvery: 4, dropout: 0.1, retrain: true })

const [once, again] = [newOut(), newOut()]
const chosen = await toyRun({ ...options, retrain: false }, { out: once })
let announced = 0
const heard: number[] = []
const hooks = {
  onRetrain: (steps: number) => {
    announced = steps
  },
  onStep: ({ step }: { step: number }) => void heard.push(step),
}
const retrained = await toyRun(options, { out: again, hooks })

test('dev speaks of the weights that were chosen, test of those trained on both', async () => {
  assert.equal(retrained.dev, chosen.dev)
  assert.is(retrained.best_step, chosen.best_step)
  assert.not(weights(again).equals(weights(once)))
  assert.equal(await savedScores(again, join(folder, 'd', 'test.tsv')), retrained.test)
  const predictions = (out: string) => readFileSync(join(out, 'dev_predictions.tsv'), 'utf8')
  assert.is(predictions(again), predictions(once))
})

test('it takes as many epochs as were best', () => {
  const perEpoch = Math.ceil(120 / 16)
  assert.is(announced, Math.round((chosen.best_step * Math.ceil((120 + 40) / 16)) / perEpoch))
  assert.equal(
    heard,
    Array.from({ length: 8 + announced }, (_, i) => i + 1),
  )
})

test('stopped in either phase and resumed it ends in the same bits', async () => {
  const out = newOut()
  for (const stopAt of [3, 8, 9, 12]) {
    let reached = 0
    const stopping = {
      onStep: ({ step }: { step: number }) => {
        reached = step
      },
      interrupted: () => reached >= stopAt,
    }
    await toyRun(options, { out, resume: true, hooks: stopping }).then(
      () => assert.ok(reached === 8 + announced || stopAt === 8, `was not interrupted at ${stopAt}`),
      (error) => assert.match(error.message, /--resume/),
    )
  }
  const result = await toyRun(options, { out, resume: true })
  assert.ok(weights(out).equals(weights(again)))
  assert.equal([result.dev, result.test], [retrained.dev, retrained.test])
  assert.equal(readdirSync(out).sort(), readdirSync(again).sort())
  assert.is(readFileSync(join(out, 'units.json'), 'utf8'), readFileSync(join(again, 'units.json'), 'utf8'))
})

test.run()
