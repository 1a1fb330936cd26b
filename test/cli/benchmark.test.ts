/** `benchmark` with real, tiny runs: the whole, killed and taken up again, added to, refused, planned. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { BenchmarkRecord } from '../../src/evaluation/record.js'
import { commandLine } from '../support/paths.js'
import { folderWith } from '../support/temporary.js'
import { toyFiles } from '../support/toy_ner.js'
import { smallTokenizerJson } from '../support/vocabulary.js'

const test = suite('benchmark')

const words = ['fever', 'cough', 'the patient had zinc', 'treated with q10', 'severe fever', 'was and']

/** Pairs with a score, tab-separated under a header. */
function pairs(count: number, shift: number): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const [a, b] = [words[(i + shift) % 6], words[(i * i + shift) % 6]]
    return `${i}\tg\tf\ty\t${i}\t.\t.\t${a}\t${b}\t${a === b ? 4 : (i % 3) + 0.5}`
  })
  const header = 'index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore'
  return `${[header, ...rows].join('\n')}\n`
}

const root = folderWith({
  'v/tokenizer.json': smallTokenizerJson(),
  ...Object.fromEntries(
    Object.entries(toyFiles({ train: 40, devel: 12, test: 12 })).flatMap(([path, text]) =>
      path.startsWith('d/') ? [[`data/ner/NCBI-disease/${path.slice(2)}`, text]] : [],
    ),
  ),
  'data/sts/biosses/train.tsv': pairs(24, 0),
  'data/sts/biosses/dev.tsv': pairs(8, 1),
  'data/sts/biosses/test.tsv': pairs(9, 2),
})

function argumentsOf(out: string, ...more: string[]): string[] {
  const models = ['--model', 'one=random:nano', 'two=random:nano', '--tokenizer', join(root, 'v')]
  const sizes = [
    '--seeds',
    '2',
    '--total-steps',
    '12',
    '--eval-every',
    '4',
    '--batch',
    '8',
    '--max-length',
    '32',
  ]
  return ['benchmark', ...models, '--data', join(root, 'data'), '--out', out, ...sizes, ...more]
}

function run(argv: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [commandLine, ...argv], { encoding: 'utf8' })
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return {
    stdout,
    stderr,
    status,
    json: (argv.includes('--json') ? JSON.parse(last) : {}) as BenchmarkRecord,
  }
}

/** Without what no two evaluations have alike. */
function timeless(record: BenchmarkRecord): unknown {
  const runs = record.runs.map(({ seconds: _, tokens_per_second: __, ...run }) => run)
  return { ...record, runs, command: [] }
}

const straight = join(root, 'straight')
const first = run(argumentsOf(straight, '--json'))

test('every run has its folder, and scores are the means of the runs', () => {
  assert.is(first.status, 0, first.stderr)
  const { json: record } = first
  assert.is(record.runs.length, 8)
  assert.is(record.left, 0)
  for (const { dir } of record.runs)
    for (const file of ['scores.json', 'units.json', 'model.safetensors', 'log.jsonl'])
      assert.ok(existsSync(join(straight, dir, file)), `${dir}/${file}`)
  assert.is(record.scores.length, 4)
  for (const { set, model, metric, mean, values } of record.scores) {
    const own = record.runs.filter((run) => run.set === set && run.model === model)
    const found = own.map(({ test }) => test[metric])
    assert.equal(values, found, `${set} ${model}`)
    const there = found.filter((value) => typeof value === 'number')
    if (mean !== null)
      assert.ok(Math.abs(mean - there.reduce((a, b) => a + b, 0) / there.length) < 1e-12, `${set} ${model}`)
  }
  assert.equal(JSON.parse(readFileSync(join(straight, 'benchmark.json'), 'utf8')), record)
})

test('two models of the same weights have the same scores, and differ by nothing', () => {
  const { differences } = first.json
  assert.is(differences.length, 2)
  for (const { set, mean, interval } of differences) {
    const exists = first.json.scores.some((score) => score.set === set && score.mean !== null)
    assert.equal([mean, interval], exists ? [0, [0, 0]] : [null, null], set)
  }
})

test('killed at any moment it goes on, and ends as one that was left alone', async () => {
  const out = join(root, 'killed')
  for (const [signal, after] of [
    ['SIGKILL', 1],
    ['SIGTERM', 3],
    ['SIGKILL', 5],
  ] as const) {
    const child = spawn(process.execPath, [commandLine, ...argumentsOf(out, '--json')], { stdio: 'ignore' })
    const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
    const count = () => {
      const file = join(out, 'benchmark.json')
      return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as BenchmarkRecord).runs.length : 0
    }
    const timer = setInterval(() => {
      if (count() >= after) child.kill(signal)
    }, 5)
    await ended
    clearInterval(timer)
  }
  const last = run(argumentsOf(out, '--json'))
  assert.is(last.status, 0, last.stderr)
  assert.equal(timeless(last.json), timeless(first.json))
})

test('another learning rate in the same OUT is refused by name before anything is run', () => {
  const { status, stderr } = run(argumentsOf(straight, '--learning-rate', '0.5'))
  assert.is(status, 2)
  assert.match(stderr, /other options \(--learning-rate was not given, now 0\.5\)/)
})

test('a seed and a model may be added: only those are run', () => {
  const more = argumentsOf(straight, '--json', '--quiet', '--sets', 'biosses').map((word) =>
    word === 'two=random:nano' ? 'three=random:nano' : word,
  )
  const { json, status, stderr } = run(more)
  assert.is(status, 0, stderr)
  assert.is(json.runs.length, 10)
  assert.equal(
    json.models.map(({ name }) => name),
    ['one', 'two', 'three'],
  )
})

test('--dry-run tells runs, steps, memory and time, and writes nothing', () => {
  const out = join(root, 'dry')
  const { status, stdout, stderr } = run(argumentsOf(out, '--dry-run'))
  assert.is(status, 0, stderr)
  assert.match(stdout, /^NCBI-disease +one +2 +12 +[\d,]+ +[\d.]+ MiB +over [\d.]+ s +floor$/m)
  assert.match(stdout, /8 of 8 runs are left/)
  assert.not.ok(existsSync(out))
  const known = run(argumentsOf(straight, '--dry-run', '--json', '--seeds', '3', '--sets', 'ncbi'))
  const { plan, left } = known.json as unknown as { plan: { by: string; runs: number }[]; left: number }
  assert.is(left, 2)
  assert.equal(
    plan.map(({ by, runs }) => [by, runs]),
    [
      ['runs of the same', 1],
      ['runs of the same', 1],
    ],
  )
})

test('text for people has the tables and says how little BIOSSES tells', () => {
  const { stdout, status } = run(argumentsOf(straight, '--quiet'))
  assert.is(status, 0)
  assert.match(stdout, /test scores, percent: mean over 2 seeds/)
  assert.match(stdout, /^NCBI-disease +BioBERT v1\.1 +88\.30 +entity-level/m)
  assert.match(stdout, /BIOSSES is small/)
})

test('models of one name, names that are no folders’, unknown sets and settings are refused', () => {
  const out = join(root, 'refused')
  const say = (from: string, to: string, ...more: string[]) => {
    const { stderr, status } = run(argumentsOf(out, ...more).map((word) => (word === from ? to : word)))
    assert.is(status === 0, false)
    return stderr
  }
  assert.match(say('two=random:nano', 'one=random:mini'), /both are called one; give them names: NAME=DIR/)
  assert.match(say('two=random:nano', 'random:giant'), /giant/)
  assert.match(say('two=random:nano', '/nowhere'), /\/nowhere\/config\.json: found no such file/)
  assert.match(say('', '', '--sets', 'hoc'), /found no folder of HoC/)
  assert.match(say('', '', '--tasks', 'poetry'), /no task is called poetry/)
  assert.match(say('', '', '--settings', 'mine'), /--settings is mine \(want one of/)
  assert.match(say('', '', '--folds', 'none'), /Expected a whole number of 1 or more, or all/)
  assert.not.ok(existsSync(out))
})

test.run()
