/** `bench runtime` on models of nano size: what it counts, what it compares, what it refuses. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { calls } from '../../src/device/program.js'
import { callCount } from '../../src/graph/lower.js'
import { compile } from '../../src/graph/runtime.js'
import { preset } from '../../src/model/config.js'
import { DEFAULT_OPTIMIZER } from '../../src/training/optimizer.js'
import { pretrainingPrograms } from '../../src/training/pretraining/programs.js'
import type { BenchResult } from '../../src/training/pretraining/runtime_bench.js'
import { scheduleDays, sharing } from '../../src/training/pretraining/runtime_figures.js'
import { commandLine } from '../support/paths.js'

const test = suite('bench runtime')

function bench(...argv: string[]) {
  const all = [commandLine, 'bench', 'runtime', ...argv]
  const { stdout, stderr, status } = spawnSync(process.execPath, all, { encoding: 'utf8' })
  const last = stdout.trimEnd().split('\n').at(-1) || 'null'
  return { stdout, stderr, status, json: last.startsWith('{') ? JSON.parse(last) : null }
}

const small = ['--rows', '140', '--length', '32', '--steps', '2', '--threads', '2', '--json']
const pair = bench('--models', 'bioalbert-nano,biobert-nano', ...small)

interface Model {
  [name: string]: number
}
const models = () => {
  assert.is(pair.status, 0, pair.stderr)
  return pair.json.models as [Model & { model: string }, Model & { model: string }]
}

test('both models are there, on whole sequences, with the bytes that follow from their parameters', () => {
  assert.equal([pair.json.rows, pair.json.length, pair.json.steps], [128, 32, 2])
  assert.equal(
    models().map((m) => m.model),
    ['bioalbert-nano', 'biobert-nano'],
  )
  const [albert, bert] = models()
  const block = 4 * (64 * 64 + 64) + 2 * 64 * 256 + 256 + 64 + 4 * 64
  const shared = (128 + 2) * 32 + 2 * 32 + 64 * 32 + 64 + 64 * 64 + 64 + (64 * 32 + 32 + 2 * 32) + 2 * 64 + 2
  assert.is(albert.parameters, 30_000 * 33 + shared + block)
  const own = (128 + 2) * 64 + 2 * 64 + 64 * 64 + 64 + (64 * 64 + 64 + 2 * 64) + 2 * 64 + 2
  assert.is(bert.parameters, 28_996 * 65 + own + 2 * block)
  for (const m of models()) {
    assert.is(m.weights_bytes, 4 * m.parameters)
    assert.is(m.checkpoint_bytes, 12 * m.parameters)
    assert.ok(m.gradient_bytes >= m.weights_bytes && m.gradient_bytes < 1.01 * m.weights_bytes)
    assert.is(m.optimizer_bytes, 2 * m.gradient_bytes)
    assert.is(m.planned_bytes, 2 * m.gradient_bytes + m.optimizer_bytes + m.activation_bytes)
  }
})

test('a step is made of forward pass, backward pass and update, and its first loss is that of guessing', () => {
  for (const m of models()) {
    for (const part of ['forward_seconds', 'backward_seconds', 'optimizer_seconds'])
      assert.ok(m[part] > 0, part)
    assert.ok(Math.abs(m.tokens_per_second * m.step_seconds - 128) < 1e-6)
    const guess = Math.log(m.model.toString() === 'biobert-nano' ? 28_996 : 30_000) + Math.log(2)
    assert.ok(Math.abs(m.first_loss - guess) < 0.3, `${m.first_loss}, want about ${guess}`)
    assert.ok(m.last_loss < m.first_loss)
  }
})

test('the counts of calls divide a program where its backward pass and its update begin', () => {
  for (const name of ['nano', 'bert-nano']) {
    const capacity = { rows: 32, sequences: 2, masked: 4 }
    const { graphs } = pretrainingPrograms(preset(name, 50), capacity, DEFAULT_OPTIMIZER)
    const { program } = compile(graphs).get('step')!
    const labels = [...calls(program)].map((call) => call.label)
    const [forward, gradient] = [graphs.evaluate, graphs.accumulate].map(({ root }) => callCount(root.nodes))
    // the gradient of the loss is its first call
    assert.match(labels[forward], /^fill/)
    assert.ok(labels.slice(0, forward).every((label) => !label.includes('backward')))
    assert.ok(labels.slice(forward, gradient).every((label) => !label.includes('optimizer')))
    assert.ok(labels.slice(gradient).every((label) => label.includes('optimizer')))
    assert.is(labels.length - gradient, 2)
  }
})

test('multiply-adds are those of the matrix products', () => {
  const layer = 4 * 64 * 64 + 2 * 64 * 256
  // of 32 places 5 are masked; attention, pooler and the pointwise rest add a little
  const products = (embedding: number, vocabulary: number, size: number) =>
    3 * (2 * layer + embedding + (5 / 32) * (64 * size + size * vocabulary))
  const want = [products(32 * 64, 30_000, 32), products(0, 28_996, 64)]
  models().forEach((m, i) => {
    const ratio = m.multiply_adds_per_token / want[i]
    assert.ok(
      ratio > 1 && ratio < 1.15,
      `${m.model}: ${m.multiply_adds_per_token}, products alone ${want[i]}`,
    )
  })
})

test('the ratios are those of the two models', () => {
  const [albert, bert] = models()
  const [ratios] = pair.json.biobert_over_bioalbert
  assert.is(ratios.size, 'nano')
  for (const name of ['parameters', 'gradient_bytes', 'step_seconds', 'optimizer_seconds'])
    assert.is(ratios[name], bert[name] / albert[name], name)
})

/** A result of which only times matter: 2 s a step, 0.5 s of them the update. */
const result = {
  model: 'biobert-base',
  family: 'biobert',
  size: 'base',
  optimizer: 'adamw',
  parameters: 100,
  memory: { gradientBytes: 400, optimizerBytes: 800, activationBytes: 10 },
  multiplyAdds: 7,
  step: 2,
  split: { forward: 0.5, backward: 1, optimizer: 0.5 },
} as unknown as BenchResult

test('days are steps of the papers: micro-batches without, and one with the update', () => {
  const [pubmed, both] = scheduleDays(result, 2048)
  // 1024 sequences of 512 tokens are 256 micro-batches of 2048
  assert.ok(Math.abs(pubmed.days - (200_000 * (256 * 1.5 + 0.5)) / 86_400) < 1e-9)
  assert.ok(Math.abs(both.days / pubmed.days - 2.35) < 1e-12)
  assert.equal([pubmed.quoted, both.quoted], ['10', '23'])
  const large = { ...result, model: 'biobert-large', size: 'large' } as BenchResult
  const [quarter] = scheduleDays(large, 2048)
  assert.ok(Math.abs(quarter.days - (200_000 * (64 * 1.5 + 0.5)) / 86_400) < 1e-9)
  assert.is(quarter.quoted, undefined)
})

test('sizes of which one model is missing are not compared', () => {
  assert.equal(sharing([result]), [])
  const albert = { ...result, family: 'bioalbert', parameters: 10 } as BenchResult
  assert.is(sharing([albert, result])[0].parameters, 10)
})

test('people are told what sharing saves and what it does not', () => {
  const argv = [
    '--models',
    'biobert-nano,bioalbert-nano',
    ...small.filter((word) => word !== '--json'),
    '--quiet',
  ]
  const { stdout, stderr, status } = spawnSync(process.execPath, [commandLine, 'bench', 'runtime', ...argv], {
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  for (const says of [
    /bioalbert-nano +biobert-nano/,
    /quoted/,
    /saved by sharing/,
    /not saved/,
    /optimizer +lamb +adamw/,
  ])
    assert.match(stdout, says)
  assert.is(stderr, '')
})

test('--model predicts, says so everywhere, and runs nothing', () => {
  const argv = ['--model', 'h100', '--rows', '4096', '--length', '512']
  const { json, status, stderr } = bench(...argv, '--json')
  assert.is(status, 0, stderr)
  assert.is(json.predicted, true)
  const [card] = json.cards
  assert.is(card.card, 'h100')
  assert.equal(
    card.steps.map((step: { name: string }) => step.name),
    ['base_8x512', 'base_8x512_dropout'],
  )
  for (const step of card.steps) {
    assert.is(step.measured, null)
    assert.ok(Math.abs((step.predicted_tokens_per_second * step.predicted_step_ms) / 1000 - 4096) < 4)
    const families: { ms: number }[] = step.predicted_families
    const sum = families.reduce((n, { ms }) => n + ms, step.predicted_gap_ms)
    assert.ok(Math.abs(sum / step.predicted_step_ms - 1) < 0.01)
    assert.ok(step.fits && step.predicted_mfu > 0.1)
  }
  const { stdout } = bench(...argv, '--quiet')
  const titles = stdout.split('\n').filter((line) => line.startsWith('H100'))
  assert.is(titles.length, 3)
  for (const title of titles) assert.match(title, /PREDICTED/)
  assert.match(stdout, /dense layers, forward/)
  assert.match(stdout, /between launches/)
})

test('what cannot be is refused by name', () => {
  const cases: [string[], number, RegExp][] = [
    [['--models', 'bioalbert-nano,gpt'], 2, /'gpt'/],
    [['--models', 'biobert-nano', '--rows', '16', '--length', '32'], 2, /16 rows hold no sequence of 32/],
    [['--models', 'biobert-nano', '--length', '2'], 2, /sequences of 2 tokens/],
    [['--model', 'a2000'], 2, /'a2000' is invalid/],
    [['--model', 'h100', '--steps', '3'], 2, /cannot be used with option '--steps/],
    [['--model', 'h100', '--rows', '100'], 2, /100 rows hold no sequence of 512/],
  ]
  for (const [argv, status, says] of cases) {
    const { stderr, status: found } = bench(...argv, '--json')
    assert.is(found, status, stderr)
    assert.match(stderr, says)
  }
})

test.run()
