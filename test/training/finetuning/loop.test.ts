/** What the training loop asks of the device, seen by a device that only listens. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { ParameterSet, zeros } from '../../../src/graph/parameters.js'
import type { Runtime } from '../../../src/graph/runtime.js'
import { tokenHead } from '../../../src/model/token_classification.js'
import { entities } from '../../../src/tasks/entities.js'
import { train } from '../../../src/training/finetuning/loop.js'
import { DEFAULT_OPTIMIZER } from '../../../src/training/optimizer.js'
import { folderWith } from '../../support/temporary.js'
import { toySentences } from '../../support/toy_ner.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('training loop of a task')

interface Run {
  program: string
  inputs: Record<string, Int32Array>
  scalars: Record<string, number>
}

const tokenizer = loadTokenizer(`${folderWith({ 'v/tokenizer.json': smallTokenizerJson() })}/v`)
const sentences = toySentences(11, 45).map((sentence) => ({ ...sentence, line: 1 }))
const context = { form: 'words', labels: ['O', 'B', 'I'], tokenizer, maxLength: 10, fitted: {} }
const examples = entities.examples(sentences, context, true)
const perEpoch = Math.ceil(examples.length / 8)
const words = sentences.reduce((n, sentence) => n + sentence.words.length, 0)

/** Trains on a runtime that notes what it is asked for. */
async function listen(totalSteps: number, rows: number, start = { step: 0, draw: 0 }): Promise<Run[]> {
  const parameters = new ParameterSet()
  parameters.add('w', [2, 2], { init: zeros })
  const runs: Run[] = []
  const runtime = {
    parameters,
    run: async (program: string, inputs: Run['inputs'], scalars: Run['scalars']) => {
      runs.push({ program, inputs, scalars })
    },
    read: async () => new Float32Array(1),
  } as unknown as Runtime
  const settings = {
    totalSteps,
    batchSize: 8,
    capacity: { rows, length: 10 },
    seed: 3,
    optimizer: DEFAULT_OPTIMIZER,
    rate: (step: number) => 10 + step,
  }
  await train(runtime, tokenHead, examples, settings, start, { onStep: () => true })
  return runs
}

/** Pairs of first piece and label of the words of some runs, sorted. */
function trained(runs: Run[]): string {
  return runs
    .flatMap(({ inputs }) =>
      [...inputs.scored_rows].map((row, i) => `${inputs.ids[row]}:${inputs.targets[i]}`),
    )
    .sort()
    .join()
}

test('every word is trained once in each epoch, with its own label', async () => {
  const all = sentences
    .flatMap((sentence) =>
      sentence.words.map(
        (word, i) => `${tokenizer.encode(word)[0]}:${['O', 'B', 'I'].indexOf(sentence.tags[i])}`,
      ),
    )
    .sort()
    .join()
  const runs = await listen(2 * perEpoch, 40)
  const updates = runs.map(({ program }, i) => (program === 'step' ? i : -1)).filter((i) => i >= 0)
  assert.is(updates.length, 2 * perEpoch)
  const half = updates[perEpoch - 1] + 1
  assert.is(trained(runs.slice(0, half)), all)
  assert.is(trained(runs.slice(half)), all)
  assert.is.not(runs[0].inputs.ids.join(), runs[half].inputs.ids.join())
})

test('the losses of a step are divided by its words, whatever its micro-batches', async () => {
  for (const rows of [10, 40, 2000]) {
    let inStep = 0
    let scale = 0
    let total = 0
    for (const { program, scalars } of await listen(perEpoch, rows)) {
      assert.ok(scalars.rows <= rows)
      if (inStep > 0) assert.is(scalars.loss_scale, scale)
      scale = scalars.loss_scale
      inStep += scalars.scored
      if (program !== 'step') continue
      assert.is(scale, 1 / inStep)
      total += inStep
      inStep = 0
    }
    assert.is(total, words)
  }
})

test('the rate is that of the updates before, and no two micro-batches share their dropout', async () => {
  const runs = await listen(6, 40)
  const rates = runs.filter(({ program }) => program === 'step').map(({ scalars }) => scalars.lr)
  assert.equal(rates, [10, 11, 12, 13, 14, 15])
  assert.equal(
    runs.map(({ scalars }) => scalars.draw),
    runs.map((_, i) => i),
  )
})

test('a loop that starts in the middle asks for the same as one that came there', async () => {
  const whole = await listen(perEpoch + 3, 40)
  const before = (await listen(perEpoch + 1, 40)).length
  const rest = await listen(perEpoch + 3, 40, { step: perEpoch + 1, draw: before })
  assert.equal(
    rest.map(({ program, scalars }) => ({ program, scalars })),
    whole.slice(before).map(({ program, scalars }) => ({ program, scalars })),
  )
  assert.is(
    rest.map(({ inputs }) => inputs.ids.join()).join(),
    whole
      .slice(before)
      .map(({ inputs }) => inputs.ids.join())
      .join(),
  )
})

test.run()
