/**
 * Folders that transformers and PyTorch wrote (test/golden/pretrained.py), in every form of weights and type of elements: read as they are,
 * and imported, they give the logits of transformers in float64.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { folderAtomic } from '../../src/files.js'
import { openModel } from '../../src/model/folder.js'
import { parseConfig } from '../../src/model/huggingface.js'
import { importReport, planImport, writeImported } from '../../src/model/import.js'
import { allclose } from '../support/allclose.js'
import { outputsOf, pretrainedCases, pretrainedFolder } from '../support/pretrained_case.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('pretrained')

for (const [name, one] of Object.entries(pretrainedCases)) {
  const dir = join(pretrainedFolder, name)

  test(`${name}: ${one.architecture}, ${one.dtype}: read as it is`, async () => {
    const { outputs, report } = await outputsOf(openModel(dir), one)
    assert.equal(Object.keys(outputs).sort(), Object.keys(one.outputs).sort())
    for (const [output, found] of Object.entries(outputs))
      allclose(found, one.outputs[output], { rtol: 0, atol: 4e-6, name: output })
    assert.equal(report.missing, [])
    // a model of the encoder alone has a pooler that hidden states do not go through
    assert.is(report.ignored.length, one.architecture === 'BertModel' ? 2 : 0)
  })

  test(`${name}: imported`, async () => {
    const model = openModel(dir)
    const file = join(dir, 'config.json')
    const plan = planImport(model.weights, parseConfig(readFileSync(file, 'utf8'), file))
    assert.is(plan.architecture, one.architecture)
    const out = join(temporaryFolder(), 'm')
    await writeImported(out, plan)
    assert.equal(readdirSync(out).sort(), ['config.json', 'model.safetensors'])
    assert.equal(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).architectures, [one.architecture])
    const imported = openModel(out)
    assert.equal(imported.config, model.config)
    const { outputs } = await outputsOf(imported, one)
    for (const [output, found] of Object.entries(outputs))
      allclose(found, one.outputs[output], { rtol: 0, atol: 4e-6, name: output })

    // every tensor of the source stands in the report once
    const report = importReport(plan)
    const sources = report.map(({ source }) => source).filter((source) => source !== null)
    assert.equal([...sources].sort(), [...model.weights.tensors.keys()].sort())
    const written = report.filter(({ state }) => state === 'taken').map((line) => line.name)
    assert.equal([...imported.weights.tensors.keys()].sort(), [...written].sort())
  })
}

test('weights that are not finite are refused by name and place, and nothing is left of the folder', async () => {
  const dir = join(pretrainedFolder, 'albert_token_double')
  const { weights } = openModel(dir)
  const name = 'albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.bias'
  const float32 = () => Float32Array.of(0, Number.NaN, ...Array(10).fill(0))
  const broken = new Map(weights.tensors).set(name, {
    ...weights.tensors.get(name)!,
    name,
    shape: [12],
    float32,
  })
  const file = join(dir, 'config.json')
  const plan = planImport({ ...weights, tensors: broken }, parseConfig(readFileSync(file, 'utf8'), file))
  const out = join(temporaryFolder(), 'm')
  let message = 'nothing was thrown'
  await folderAtomic(out, (temporary) => writeImported(temporary, plan)).catch((error: Error) => {
    message = error.message
  })
  assert.match(message, /ffn\.bias' with NaN at 1, expected finite numbers/)
  assert.not(existsSync(out))
})

test('the cases are of every form of weights', () => {
  const files = Object.keys(pretrainedCases).flatMap((name) =>
    [
      'model.safetensors',
      'model.safetensors.index.json',
      'pytorch_model.bin',
      'pytorch_model.bin.index.json',
    ].filter((file) => existsSync(join(pretrainedFolder, name, file))),
  )
  assert.is(new Set(files).size, 4)
  const bins = files.filter((file) => file === 'pytorch_model.bin').length
  assert.ok(bins >= 4, `${bins}`)
})

test.run()
