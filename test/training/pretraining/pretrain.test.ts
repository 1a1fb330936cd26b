/** The pretraining loop: what a step is, that it learns, and what it says when it does not. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Instance } from '../../../src/data/instances/stream.js'
import { openCpu } from '../../../src/device/cpu.js'
import type { Device } from '../../../src/device/device.js'
import { readSafetensors } from '../../../src/model/formats/safetensors.js'
import { refuseTooLarge } from '../../../src/training/memory.js'
import { Collator, microBatchCapacity, splitStep } from '../../../src/training/pretraining/batch.js'
import { unigramBaseline } from '../../../src/training/pretraining/evaluate.js'
import { type PretrainRun, pretrain } from '../../../src/training/pretraining/pretrain.js'
import type { PretrainChoices } from '../../../src/training/pretraining/settings.js'
import { setUpPretraining } from '../../../src/training/pretraining/setup.js'
import { allclose } from '../../support/allclose.js'
import { compiling } from '../../support/compiling.js'
import { rejects } from '../../support/failure.js'
import { pretrainingData } from '../../support/pretraining_case.js'

const test = suite('pretrain')

const data = await pretrainingData()
let runs = 0

async function run(
  choices: PretrainChoices,
  more: Partial<PretrainRun> = {},
  init?: string,
  wrap = (device: Device) => device,
) {
  const out = join(data.folder, `out${runs++}`)
  const { tokenizer, instances } = data
  const sources = { choices, instances, tokenizer, out, init, resume: false, evalInstances: 40 }
  const setup = await setUpPretraining(sources)
  const device = openCpu({ threads: 2 })
  const held: number[] = []
  try {
    const options = { out, evalEvery: 1000, saveEvery: 1000, keep: 1 }
    const started = () => held.push(device.bytes)
    const working = device.bytes
    const result = await pretrain(setup, wrap(device), { ...options, events: { started }, ...more })
    return { out, setup, result, bytes: held[0] - working }
  } finally {
    await device.destroy()
  }
}

const instance = (n: number, positions: number[], splitAt = 2, sop: 0 | 1 = 0): Instance => ({
  ids: Int32Array.from({ length: n }, (_, i) => 10 + i),
  splitAt,
  positions: Int32Array.from(positions),
  labels: Int32Array.from(positions, (p) => 100 + p),
  sop,
  source: 'in_order',
})

test('a run that is ended while kernels are being compiled waits for none of them, and leaves nothing', async () => {
  const never = new Promise<void>(() => undefined)
  const stop = new AbortController()
  const began = { started: () => void setTimeout(() => stop.abort(), 100) }
  const more = { signal: stop.signal, events: began }
  const { out, result } = await run({ preset: 'nano', totalSteps: 3, batch: 4 }, more, undefined, (device) =>
    compiling(device, never),
  )
  assert.ok(result.interrupted)
  assert.is(result.step, 0)
  assert.not(existsSync(out))
  const compiled = await run({ preset: 'nano', totalSteps: 3, batch: 4 }, {}, undefined, (device) =>
    compiling(device, new Promise((resolve) => setTimeout(resolve, 100))),
  )
  assert.is(compiled.result.step, 3)
})

test('a micro-batch is ragged: rows of all sequences one after the other, nothing between them', () => {
  const collator = new Collator({ rows: 20, sequences: 3, masked: 5 })
  collator.collate([instance(9, [1, 2, 3], 4, 1), instance(9, [7])])
  const { inputs, rows, sequences, masked } = collator.collate([instance(3, [2]), instance(5, [1, 4], 3, 1)])
  assert.equal([rows, sequences, masked], [8, 2, 3])
  assert.equal([...inputs.ids], [10, 11, 12, 10, 11, 12, 13, 14])
  assert.equal([...inputs.segments], [0, 0, 1, 0, 0, 0, 1, 1])
  assert.equal([...inputs.positions], [0, 1, 2, 0, 1, 2, 3, 4])
  assert.equal([...inputs.cu_seqlens], [0, 3, 8, 8])
  assert.equal([...inputs.masked_rows], [2, 4, 7])
  assert.equal([...inputs.masked_labels], [102, 101, 104])
  assert.equal([...inputs.first_rows], [0, 3])
  assert.equal([...inputs.sop_labels], [0, 1])
})

test('a step is cut where rows, sequences or masked pieces would not fit, and keeps its order', () => {
  const all = [5, 5, 9, 2, 2, 2, 2].map((n) => instance(n, [0]))
  const capacity = { rows: 10, sequences: 3, masked: 3 }
  const lengths = splitStep(all, capacity).map((part) => part.map(({ ids }) => ids.length))
  assert.equal(lengths, [[5, 5], [9], [2, 2, 2], [2]])
  assert.equal(splitStep([instance(4, [0, 1]), instance(4, [0, 1])], capacity).length, 2)
  assert.throws(() => splitStep([instance(11, [])], capacity), /11 pieces/)
})

test('capacity holds the longest instance with all its masked pieces', () => {
  for (const [rows, batch, length, predictions] of [
    [512, 1, 512, 20],
    [4096, 1024, 512, 77],
    [128, 3, 8, 1],
  ]) {
    const capacity = microBatchCapacity(rows, batch, length, predictions)
    assert.ok(capacity.masked >= predictions && capacity.sequences >= 1 && capacity.sequences <= batch)
  }
})

test('the baseline is the share of the most frequent label', () => {
  assert.is(unigramBaseline([instance(9, [1, 1, 2]), instance(9, [1, 3])]), 0.6)
  assert.is(unigramBaseline([]), 0)
})

test('it learns: masked words and the order of sentences, far above chance', async () => {
  const { result, setup, out } = await run({
    preset: 'nano',
    optimizer: 'adamw',
    learningRate: 0.001,
    totalSteps: 300,
    batch: 16,
  })
  const { mlmAccuracy, sopAccuracy } = result.heldOut ?? { mlmAccuracy: 0, sopAccuracy: 0 }
  assert.ok(setup.baseline < 0.3, `baseline ${setup.baseline}`)
  assert.ok(mlmAccuracy > setup.baseline + 0.3, `MLM ${mlmAccuracy}, baseline ${setup.baseline}`)
  assert.ok(sopAccuracy > 0.8, `SOP ${sopAccuracy}`)
  const lines = readFileSync(join(out, 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l))
  assert.equal(
    lines.filter((l) => 'loss' in l).map((l) => l.step),
    Array.from({ length: 300 }, (_, i) => i + 1),
  )
  assert.ok(lines.at(-1).heldout.mlm_accuracy === mlmAccuracy)
  assert.is(lines[0].lr, 0)
})

test('gradient accumulation changes the step by rounding only', async () => {
  const choices = { preset: 'nano', totalSteps: 4, warmup: 0, batch: 12, learningRate: 0.01 }
  const whole = await run({ ...choices, rows: 12 * 48 })
  const parts = await run({ ...choices, rows: 100 })
  assert.is(splitSteps(whole), 1)
  assert.ok(splitSteps(parts) >= 3)
  const one = readSafetensors(join(whole.out, 'model.safetensors'))
  const many = readSafetensors(join(parts.out, 'model.safetensors'))
  for (const [name, tensor] of one.tensors) {
    const other = many.tensors.get(name)?.float32() ?? []
    allclose(other, tensor.float32(), { rtol: 1e-3, atol: 2e-5, name })
  }
})

/** Micro-batches of a step of instances of ordinary length. */
function splitSteps({ setup }: { setup: Awaited<ReturnType<typeof setUpPretraining>> }): number {
  const { capacity, heldOut } = setup
  return splitStep(
    Array.from({ length: 12 }, (_, i) => heldOut[i % heldOut.length]),
    capacity,
  ).length
}

test('the memory that the device holds is the memory that was planned', async () => {
  const { bytes, setup } = await run({ preset: 'nano', totalSteps: 1, warmup: 0, batch: 4 })
  assert.is(bytes, setup.memory.totalBytes)
})

test('a run that does not fit is refused with the figures', async () => {
  const { memory } = (await run({ preset: 'nano', totalSteps: 1, warmup: 0, batch: 4 })).setup
  refuseTooLarge(memory, undefined, memory.totalBytes)
  assert.throws(
    () => refuseTooLarge(memory, undefined, memory.totalBytes - 1),
    /not enough memory: the run needs/,
  )
})

test('a loss that is not finite ends the run with step, loss and the last good checkpoint', async () => {
  const choices = { preset: 'nano', totalSteps: 50, warmup: 0, batch: 8, learningRate: 1e30 }
  await rejects(
    run(choices, { saveEvery: 1 }),
    /^step \d+: the (MLM loss|SOP loss|norm of the gradients) is (NaN|-?Infinity); the last good checkpoint: .*checkpoint-\d+/,
  )
})

test('--init starts from the weights of a model and keeps its sizes', async () => {
  const first = await run({ preset: 'nano', layers: 1, totalSteps: 3, warmup: 0, batch: 4 })
  const second = await run({ totalSteps: 9, batch: 4, learningRate: 1e-12 }, { steps: 1 }, first.out)
  assert.is(second.setup.settings.config.layers, 1)
  const from = readSafetensors(join(first.out, 'model.safetensors'))
  const to = readSafetensors(join(second.out, 'model.safetensors'))
  for (const [name, tensor] of from.tensors)
    allclose(to.tensors.get(name)?.float32() ?? [], tensor.float32(), { rtol: 0, atol: 1e-9, name })
  await rejects(run({ preset: 'nano', totalSteps: 3 }, {}, first.out), /layers is to be 2, .* has 1/)
})

test('dropout changes the losses, and another seed does too', async () => {
  const choices = { preset: 'nano', totalSteps: 2, warmup: 0, batch: 4, dropout: 0 }
  const losses = []
  for (const change of [{}, {}, { dropout: 0.2 }, { seed: 7 }])
    losses.push((await run({ ...choices, ...change })).result.last?.loss)
  assert.is(losses[0], losses[1])
  assert.is.not(losses[0], losses[2])
  assert.is.not(losses[0], losses[3])
})

test.run()
