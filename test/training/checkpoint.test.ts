/** Checkpoints come back bit for bit, appear whole, are kept by count, and are refused when they are not whole. */
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import {
  listCheckpoints,
  pruneCheckpoints,
  readArenas,
  readState,
  removeLeftovers,
  saveCheckpoint,
} from '../../src/training/checkpoint.js'
import { TrainingLog } from '../../src/training/log.js'
import { sameBits } from '../support/allclose.js'
import { random } from '../support/random.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'

const test = suite('checkpoint')

const config = preset('nano', 40)
const parameters = new ParameterSet()
declarePretraining(parameters, config)
const vocabulary = new Map([['tokenizer.json', Buffer.from('{}')]])

function arena(seed: number): Float32Array {
  const data = new Float32Array(parameters.arenaElements)
  const { normals } = random(seed)
  for (const { offset, size } of parameters.segments) data.set(normals(size), offset)
  return data
}

function save(out: string, step: number, state: object = {}): Promise<string> {
  const model = {
    config,
    architecture: 'AlbertForPreTraining' as const,
    parameters,
    vocabulary,
    vocabularyDigest: 'x',
  }
  const arenas = { parameters: arena(step), moment1: arena(step + 1), moment2: arena(step + 2) }
  return saveCheckpoint(out, { kind: 'pretrain', step, model, arenas, state })
}

test('parameters, moments and state come back as they were', async () => {
  const out = temporaryFolder()
  const dir = await save(out, 12, { draw: 4_000_000_000, cursor: { a: [1] } })
  const state = readState(dir, 'pretrain')
  assert.is(state.step, 12)
  assert.is(state.draw, 4_000_000_000)
  assert.equal(state.cursor, { a: [1] })
  const back = readArenas(dir, parameters)
  sameBits(back.parameters, arena(12))
  sameBits(back.moment1, arena(13))
  sameBits(back.moment2, arena(14))
})

test('the last K and the best are kept', async () => {
  const out = temporaryFolder()
  for (const step of [5, 10, 15, 100]) await save(out, step)
  pruneCheckpoints(out, 2, 5)
  assert.equal(
    listCheckpoints(out).map((c) => c.step),
    [5, 15, 100],
  )
})

test('what a killed run left behind is removed, and is never taken for a checkpoint', async () => {
  const out = temporaryFolder()
  await save(out, 3)
  for (const name of ['.checkpoint-6.partial', '.checkpoint-1.removed']) mkdirSync(join(out, name))
  writeFileSync(join(out, 'model.safetensors.77.tmp'), 'x')
  writeFileSync(join(out, 'log.jsonl'), '')
  assert.is(listCheckpoints(out).length, 1)
  removeLeftovers(out)
  assert.equal(readdirSync(out).sort(), ['checkpoint-3', 'log.jsonl'])
})

test('a checkpoint that cannot be written leaves nothing', async () => {
  const out = join(temporaryFolder(), 'file')
  writeFileSync(out, '')
  let message = ''
  await save(out, 1).catch((error: Error) => {
    message = error.message
  })
  assert.match(message, /ENOTDIR/)
})

test('truncated weights, a foreign state and another model are refused with the file', async () => {
  const out = temporaryFolder()
  const dir = await save(out, 7)
  const stateFile = join(dir, 'state.json')
  const text = readFileSync(stateFile, 'utf8')

  assert.throws(() => readState(dir, 'finetune'), /state\.json: found a checkpoint of pretrain/)
  writeFileSync(stateFile, text.replace('"version": 1', '"version": 9'))
  assert.throws(() => readState(dir, 'pretrain'), /version 9/)
  writeFileSync(stateFile, '{}')
  assert.throws(() => readState(dir, 'pretrain'), /format/)
  writeFileSync(stateFile, text.slice(0, 40))
  assert.throws(() => readState(dir, 'pretrain'), /state\.json/)

  const other = new ParameterSet()
  declarePretraining(other, preset('nano', 41))
  assert.throws(() => readArenas(dir, other), /word_embeddings/)
  truncateSync(join(dir, 'optimizer.safetensors'), 100_000)
  assert.throws(() => readArenas(dir, parameters), /optimizer\.safetensors: .*truncated/)
})

test('the log of a resumed run has no line after its checkpoint, nor one cut short', () => {
  const lines = (steps: number[]) => steps.map((step) => `${JSON.stringify({ step })}\n`).join('')
  const out = folderWith({ 'log.jsonl': `${lines([1, 2, 2, 3])}{"step":2,"lo` })
  const log = new TrainingLog(out, 2)
  log.write({ step: 3, again: true })
  assert.is(readFileSync(log.path, 'utf8'), `${lines([1, 2, 2])}{"step":3,"again":true}\n`)
  assert.ok(!existsSync(`${log.path}.tmp`))
})

test.run()
