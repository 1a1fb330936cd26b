/** BERT through the training commands' doors: next-sentence instances, pretraining, resumption, fine-tuning. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import { readSafetensors } from '../../src/model/formats/safetensors.js'
import { pretrain } from '../../src/training/pretraining/pretrain.js'
import { type PretrainChoices, resolveSettings } from '../../src/training/pretraining/settings.js'
import { setUpPretraining } from '../../src/training/pretraining/setup.js'
import { rejects } from '../support/failure.js'
import { pretrainingData } from '../support/pretraining_case.js'
import { temporaryFolder } from '../support/temporary.js'
import { savedScores, toyFolder, toyOptions, toyRun } from '../support/toy_run.js'

const test = suite('training of BERT')

const data = await pretrainingData({ pairs: 'nsp' })
const { tokenizer, instances } = data
const pretrained = join(data.folder, 'bert')

interface Run {
  out: string
  instances?: string
  init?: string
  steps?: number
  resume?: boolean
}

async function run(choices: PretrainChoices, { out, steps, resume = false, ...more }: Run) {
  const sources = { choices, instances, tokenizer, out, resume, evalInstances: 80, ...more }
  const setup = await setUpPretraining(sources)
  const device = openCpu({ threads: 2 })
  try {
    const options = { out, evalEvery: 1000, saveEvery: 1000, keep: 1, steps }
    return { setup, result: await pretrain(setup, device, options) }
  } finally {
    await device.destroy()
  }
}

test('it learns masked words and which sentence comes next, by AdamW unless told otherwise', async () => {
  const choices = { preset: 'bert-nano', totalSteps: 400, batch: 16 }
  const { setup, result } = await run(choices, { out: pretrained })
  assert.equal(setup.warnings, [])
  assert.is(setup.settings.optimizer.name, 'adamw')
  const { mlmAccuracy, sopAccuracy } = result.heldOut ?? { mlmAccuracy: 0, sopAccuracy: 0 }
  assert.ok(mlmAccuracy > setup.baseline + 0.3, `MLM ${mlmAccuracy}, baseline ${setup.baseline}`)
  assert.ok(sopAccuracy > 0.7, `NSP ${sopAccuracy}`)
  const { architectures, model_type } = JSON.parse(readFileSync(join(pretrained, 'config.json'), 'utf8'))
  assert.equal([architectures, model_type], [['BertForPreTraining'], 'bert'])
  const { tensors } = readSafetensors(join(pretrained, 'model.safetensors'))
  for (const name of ['bert.encoder.layer.1.attention.self.value.weight', 'cls.seq_relationship.bias'])
    assert.ok(tensors.has(name), name)
})

test('a run that is taken up again ends in the same bits', async () => {
  const choices = { preset: 'bert-nano', totalSteps: 6, batch: 4, dropout: 0.1 }
  const [whole, parts] = ['whole', 'parts'].map((name) => join(data.folder, name))
  await run(choices, { out: whole })
  await run(choices, { out: parts, steps: 3 })
  await run({}, { out: parts, resume: true })
  const bytes = (out: string) => readFileSync(join(out, 'model.safetensors'))
  assert.ok(bytes(whole).equals(bytes(parts)))
})

test('a tagger starts from its weights, learns, and scores the same when it is opened again', async () => {
  const folder = toyFolder()
  const out = join(temporaryFolder(), 'o')
  const ignored: string[] = []
  const result = await toyRun(toyOptions(folder, { model: pretrained, totalSteps: 120, evalEvery: 40 }), {
    out,
    change: (set) => {
      ignored.push(...set.ignored)
      return set
    },
  })
  assert.ok(result.test.f1 > 0.9, `test F1 ${result.test.f1}`)
  for (const name of ['bert.pooler.dense.weight', 'cls.predictions.bias', 'cls.seq_relationship.weight'])
    assert.ok(ignored.includes(name), name)
  assert.ok(ignored.every((name) => name.startsWith('bert.pooler.') || name.startsWith('cls.')))
  assert.equal(await savedScores(out, join(folder, 'd', 'test.tsv')), result.test)
})

test('pairs of the other family are taken with a warning, its weights are not', async () => {
  const order = await pretrainingData({ documents: 40 })
  const choices = { preset: 'bert-nano', totalSteps: 1, batch: 2 }
  const { setup } = await run(choices, { out: join(data.folder, 'sop'), instances: order.instances })
  assert.match(setup.warnings.join(), /pairs of sop, but BERT is trained on nsp/)
  const albert = { ...choices, preset: 'nano' }
  await rejects(
    run(albert, { out: join(data.folder, 'none'), init: pretrained }),
    /preset nano is a kind of albert, but the model to start from is a kind of bert/,
  )
})

test('defaults are those of the papers for base and large, this project’s for the small ones', () => {
  const limits = { maxLength: 128, maxPredictions: 20, vocabularySize: 100 }
  const of = (preset: string) => {
    const { batch, optimizer, schedule } = resolveSettings({ preset }, limits)
    return [optimizer.name, batch, schedule.peak, schedule.warmup, schedule.total]
  }
  assert.equal(of('bert-base'), ['adamw', 192, 1e-4, 10_000, 200_000])
  assert.equal(of('bert-large'), ['adamw', 192, 1e-4, 10_000, 200_000])
  assert.equal(of('bert-nano'), ['adamw', 16, 1e-3, 300, 3000])
  assert.equal(of('base'), ['lamb', 1024, 0.00176, 3125, 200_000])
})

test.run()
