/** What the peer of fine-tuning is handed: our examples, our order, our settings, and logits that come back to their examples. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { exportRun, type PreparedRun, readLogits, stepOrder } from '../../bench/support/finetune_export.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import { openModel } from '../../src/model/folder.js'
import type { Example } from '../../src/model/head.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { initialValues } from '../../src/training/initialize.js'
import { DEFAULT_OPTIMIZER } from '../../src/training/optimizer.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('export of fine-tuning runs')

const pair: Example = {
  ids: Int32Array.of(2, 7, 3, 9, 3),
  second: 3,
  scored: Int32Array.of(0),
  targets: Float32Array.of(0.5, -1.25),
  item: 0,
}
const bare: Example = { ids: Int32Array.of(2, 7, 3), scored: Int32Array.of(0, 1), item: 1 }

function prepared(train: readonly Example[], batch: number, total: number): PreparedRun {
  const config = preset('nano', 12, { dropout: 0.25 })
  const parameters = new ParameterSet()
  tokenHead.declare(parameters, config, 2)
  return {
    task: { name: 'made up' },
    head: { name: 'TokenClassification', weight: ({ targets }) => targets!.length },
    data: { labels: ['a', 'b'] },
    config,
    parameters,
    initial: initialValues(parameters, 5),
    train: { examples: train },
    dev: { examples: [bare] },
    test: { examples: [] },
    batch,
    schedule: { peak: 1e-3, warmup: 2, total },
    optimizer: { ...DEFAULT_OPTIMIZER, name: 'adamw', weightDecay: 0.125 },
    evalEvery: 4,
    options: { seed: 11 },
  }
}

test('examples are lines, with segments, targets and weights where there are any', async () => {
  const folder = temporaryFolder()
  await exportRun(folder, prepared([pair], 1, 3))
  const lines = (split: string) => readFileSync(join(folder, `${split}.jsonl`), 'utf8')
  assert.is(lines('train'), '{"ids":[2,7,3,9,3],"second":3,"scored":[0],"targets":[0.5,-1.25],"weight":2}\n')
  assert.is(lines('dev'), '{"ids":[2,7,3],"scored":[0,1],"weight":0}\n')
  assert.is(lines('test'), '')
})

test('settings and the weights of the start stand beside them', async () => {
  const folder = temporaryFolder()
  const run = prepared([pair], 1, 3)
  await exportRun(folder, run)
  const settings = JSON.parse(readFileSync(join(folder, 'settings.json'), 'utf8'))
  for (const [name, value] of Object.entries({
    head: 'TokenClassification',
    problem_type: null,
    outputs: 2,
    learning_rate: 1e-3,
    warmup: 2,
    total_steps: 3,
    weight_decay: 0.125,
    eps: 1e-6,
    bias_correction: false,
    dropout: 0.25,
    seed: 11,
  }))
    assert.is(settings[name], value, name)
  const { weights, labels } = openModel(join(folder, 'model'))
  assert.equal(labels, ['a', 'b'])
  const { offset, size } = run.parameters.get('classifier.weight')
  const stored = weights.tensors.get('classifier.weight')!
  const found = new Float32Array(size)
  stored.float32(found)
  assert.ok(found.every((value, i) => value === run.initial[offset + i]))
})

test('every epoch takes every example once, in another order, and the last step ends the run', () => {
  const train = Array.from({ length: 7 }, (_, item) => ({ ...pair, item }))
  const steps = stepOrder(prepared(train, 3, 8))
  assert.equal(
    steps.map((step) => step.length),
    [3, 3, 1, 3, 3, 1, 3, 3],
  )
  const [first, second] = [steps.slice(0, 3).flat(), steps.slice(3, 6).flat()]
  assert.equal([...first].sort(), [0, 1, 2, 3, 4, 5, 6])
  assert.equal([...second].sort(), [0, 1, 2, 3, 4, 5, 6])
  assert.is.not(first.join(), second.join())
})

test('logits come back by example, and a file of another length is refused', () => {
  const file = join(temporaryFolder(), 'logits')
  const all = Float32Array.of(1, 2, 3, 4, 5, 6)
  writeFileSync(file, new Uint8Array(all.buffer))
  assert.equal(
    readLogits(file, [pair, bare], 2).map((logits) => [...logits]),
    [
      [1, 2],
      [3, 4, 5, 6],
    ],
  )
  assert.throws(() => readLogits(file, [pair], 2), /24 bytes \(want 2 logits, of 1 examples\)/)
})

test.run()
