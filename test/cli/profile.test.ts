/** `profile`: what it prints is coherent, its files can be read, and what cannot be is refused before anything runs. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('profile command')

interface Row {
  name: string
  calls: number
  ms: number
  share: number
  gflops: number
  gbps: number
  percent_of_peak: number
}

interface Summary {
  peak_gflops: number
  peak_int8_gflops: number
  peak_gigabytes_per_second: number
  mfu: number
  tokens_per_second: number
  step_ms: number
  kernel_ms: number
  outside_ms: number
  step_flops: number
  step_model_flops: number
  step_bytes: number
  rows: number
  sequences: number
  timeline_clock: string
  kernels: Row[]
  memory: Record<string, number>
}

function profile(...argv: string[]): Summary {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [commandLine, 'profile', ...argv, '--threads', '2', '--json'],
    { encoding: 'utf8' },
  )
  assert.is(status, 0, stderr)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}

const sum = (rows: readonly Row[], key: 'ms' | 'share') => rows.reduce((n, row) => n + row[key], 0)

function checkCoherent(p: Summary): void {
  assert.ok(p.kernels.length > 5)
  assert.ok(Math.abs(sum(p.kernels, 'share') - 100) < 1e-6)
  assert.ok(Math.abs(sum(p.kernels, 'ms') - p.kernel_ms) < 1e-6 * p.kernel_ms)
  assert.ok(p.kernel_ms > 0 && p.kernel_ms <= p.step_ms)
  assert.ok(Math.abs(p.step_ms - p.kernel_ms - p.outside_ms) < 1e-6 * p.step_ms)
  assert.ok(Math.abs((p.tokens_per_second * p.step_ms) / 1000 / p.rows - 1) < 0.01)
  assert.ok(p.peak_gflops > 0 && p.peak_gigabytes_per_second > 0)
  const mfu = p.step_model_flops / (p.step_ms / 1000) / (p.peak_gflops * 1e9)
  assert.ok(Math.abs(p.mfu / mfu - 1) < 0.02, `${p.mfu}, ${mfu}`)
  p.kernels.forEach((row, i) => {
    assert.ok(i === 0 || row.ms <= p.kernels[i - 1].ms, 'sorted by time')
    assert.ok(row.calls >= 1 && row.ms > 0 && row.gbps >= 0 && row.percent_of_peak >= 0, JSON.stringify(row))
  })
  const { total_bytes, ...parts } = p.memory
  assert.is(
    Object.values(parts).reduce((a, b) => a + b, 0),
    total_bytes,
  )
}

test('pretrain: the table, the trace and the roofline of a step', () => {
  const folder = temporaryFolder()
  const [trace, roofline] = [join(folder, 'trace.json'), join(folder, 'roofline.svg')]
  const files = ['--trace', trace, '--roofline', roofline]
  const p = profile('pretrain', '--preset', 'nano', '--rows', '300', '--steps', '2', ...files)
  checkCoherent(p)
  // 128, 128 and 44 tokens
  assert.is(p.sequences, 3)
  assert.is(p.timeline_clock, 'device')
  // two layers of four dense layers and attention
  const calls = Object.fromEntries(p.kernels.map((row) => [row.name, row.calls]))
  assert.is(calls.attention_forward, 2)
  assert.is(calls.attention_backward, 2)
  assert.is(calls.lamb_forward, 1)
  const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as {
    traceEvents: {
      ph: string
      cat?: string
      ts: number
      dur: number
      name: string
      args: { flops: number }
    }[]
  }
  const kernels = traceEvents.filter((e) => e.cat === 'kernel')
  const perStep = p.kernels.reduce((n, row) => n + row.calls, 0)
  assert.is(kernels.length, 2 * perStep)
  for (const step of traceEvents.filter((e) => e.cat === 'step' && e.name.startsWith('step'))) {
    const inside = kernels.filter((e) => e.ts >= step.ts && e.ts + e.dur <= step.ts + step.dur)
    assert.is(inside.length, perStep, 'every kernel lies within its step')
    const flops = inside.reduce((n, e) => n + e.args.flops, 0)
    assert.ok(Math.abs(flops / p.step_flops - 1) < 1e-9)
  }
  assert.match(readFileSync(roofline, 'utf8'), /^<svg [\s\S]*linear_forward[\s\S]*<\/svg>\n$/)
})

test('the same seed profiles the same work; recomputing adds operations but none of the model', () => {
  const argv = ['pretrain', '--preset', 'nano', '--rows', '128', '--length', '50', '--steps', '1']
  const kept = profile(...argv)
  const again = profile(...argv, '--recompute')
  assert.is(again.step_model_flops, kept.step_model_flops)
  assert.ok(again.step_flops > kept.step_flops)
})

test('finetune and predict; a row for each label', () => {
  const size = ['--preset', 'nano', '--rows', '128', '--steps', '1', '--vocabulary', '200']
  const finetune = profile('finetune', ...size)
  checkCoherent(finetune)
  assert.ok(finetune.kernels.some(({ name }) => name === 'adamw_forward'))
  // backward kernels are told apart by where their op was called
  const labels = profile('finetune', ...size, '--by', 'label').kernels.map(({ name }) => name)
  for (const place of ['attention', 'ffn', 'classifier', 'embeddings'])
    assert.ok(labels.includes(`linear_backward_weight ${place}`), labels.join(', '))
  const predict = profile('predict', ...size, '--by', 'label')
  checkCoherent(predict)
  const names = predict.kernels.map(({ name }) => name)
  assert.ok(names.includes('linear_forward attention'), names.join(', '))
  assert.ok(!names.some((name) => name.includes('backward')))
})

test('predict in int8: products of 8-bit integers under a roof of their own, weights packed once', () => {
  const svg = join(temporaryFolder(), 'roofline.svg')
  const size = ['--preset', 'nano', '--rows', '128', '--steps', '1', '--vocabulary', '200']
  const [f32, int8] = [
    profile('predict', ...size),
    profile('predict', ...size, '--precision', 'int8', '--roofline', svg),
  ]
  assert.is(f32.memory.operand_bytes, 0)
  assert.ok(int8.memory.operand_bytes > 0)
  assert.is(int8.step_model_flops, f32.step_model_flops)
  assert.ok(int8.step_bytes < f32.step_bytes, 'weights of a byte')
  assert.ok(int8.peak_int8_gflops > 0)
  const names = int8.kernels.map(({ name }) => name)
  for (const name of ['linear_forward_int8', 'linear_gelu_forward_int8', 'attention_forward'])
    assert.ok(names.includes(name), names.join(', '))
  assert.ok(!names.includes('pack_int8_forward'), 'packed in front of the step')
  const { gflops, percent_of_peak } = int8.kernels.find(({ name }) => name === 'linear_gelu_forward_int8')!
  assert.ok(percent_of_peak >= (100 * gflops) / int8.peak_int8_gflops - 0.1)
  assert.match(readFileSync(svg, 'utf8'), />int8: \d+ GFLOP\/s</)
})

test('what cannot be is refused, and writes nothing', () => {
  const folder = temporaryFolder()
  const cases: [string[], RegExp][] = [
    [['pretrain'], /give either --preset or --model/],
    [['pretrain', '--preset', 'nano', '--model', folder], /give either --preset or --model/],
    [['pretrain', '--preset', 'nano', '--length', '200', '--rows', '400'], /128 positions/],
    [['pretrain', '--preset', 'nano', '--vocabulary', '5'], /only special ones/],
    [['train', '--preset', 'nano'], /Allowed choices are pretrain, finetune, predict/],
    [
      ['pretrain', '--preset', 'nano', '--trace', join(folder, 'missing', 'trace.json')],
      /missing is no folder/,
    ],
  ]
  for (const [argv, message] of cases) {
    const { stderr, status } = spawnSync(process.execPath, [commandLine, 'profile', ...argv], {
      encoding: 'utf8',
    })
    assert.is(status, 2, argv.join(' '))
    assert.match(stderr, message)
  }
  assert.not(existsSync(join(folder, 'missing')))
})

test.run()
