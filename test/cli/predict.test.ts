/** finetune, evaluate and predict as a person runs them: what they print, and what a kill leaves to go on with. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { folderWith } from '../support/temporary.js'
import { toyFolder } from '../support/toy_run.js'

const test = suite('finetune, evaluate, predict')

const folder = toyFolder({ train: 120, devel: 40, test: 50 }, 'Sign')

function bioalbert(argv: string[], input = ''): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [commandLine, ...argv], { cwd: folder, encoding: 'utf8', input })
}

const finetune = (out: string, ...more: string[]) =>
  `finetune ner --preset nano --data d --tokenizer v --out ${out} --batch 16 --learning-rate 1e-3 --json`
    .split(' ')
    .concat(more)
const last = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1) as string)

test('finetune prints the scores as one JSON object', () => {
  const { stdout, stderr, status } = bioalbert(finetune('o', '--total-steps', '200', '--eval-every', '40'))
  assert.is(status, 0, stderr)
  assert.is(stdout.trimEnd().split('\n').length, 1)
  const result = last(stdout)
  assert.is(result.task, 'entities')
  assert.is(result.metric, 'f1')
  assert.is(result.best_step % 40, 0)
  for (const part of [result.dev, result.test]) {
    assert.ok(part.f1 > 0.8, `F1 ${part.f1}`)
    assert.ok(Math.abs(part.f1 - (2 * part.precision * part.recall) / (part.precision + part.recall)) < 1e-12)
    assert.ok(part.paper_style.token_accuracy > 0.9)
    assert.equal(Object.keys(part.types), ['Sign'])
  }
  assert.match(stderr, /random weights, seed 42/)
  assert.match(stderr, /labels O, B-Sign, I-Sign/)
})

test('evaluate repeats the scores of test to the last bit', () => {
  const { stdout, stderr, status } = bioalbert(
    'evaluate ner --data d/test.tsv --model o --threads 1 --out p/again.tsv --json'.split(' '),
  )
  assert.is(status, 0, stderr)
  assert.equal(last(stdout).test, JSON.parse(readFileSync(join(folder, 'o', 'scores.json'), 'utf8')).test)
  const read = (path: string) => readFileSync(join(folder, path), 'utf8')
  assert.is(read('p/again.tsv'), read('o/test_predictions.tsv'))
})

test('a finished run that is resumed prints its scores again', () => {
  const { stdout, stderr, status } = bioalbert(finetune('o', '--resume'))
  assert.is(status, 0, stderr)
  assert.equal(last(stdout).test, JSON.parse(readFileSync(join(folder, 'o', 'scores.json'), 'utf8')).test)
})

const sentence = 'The patient had cough, and fever.'

test('predict marks entities in the text', () => {
  const { stdout, stderr, status } = bioalbert(['predict', '--model', 'o', '--text', sentence])
  assert.is(status, 0, stderr)
  assert.is(stdout.replace(/\[(.*?)\]\(Sign\)/g, '$1'), `${sentence}\n`)
  assert.match(stdout, /\[cough\]\(Sign\)/)
})

for (const precision of ['bf16', 'int8'])
  test(`evaluate and predict in ${precision} score and mark as in f32, but for the last digits`, () => {
    const { stdout, stderr, status } = bioalbert(
      `evaluate ner --data d/test.tsv --model o --precision ${precision} --json`.split(' '),
    )
    assert.is(status, 0, stderr)
    const f32 = JSON.parse(readFileSync(join(folder, 'o', 'scores.json'), 'utf8')).test
    assert.ok(Math.abs(last(stdout).test.f1 - f32.f1) < 0.05, `F1 ${last(stdout).test.f1}, in f32 ${f32.f1}`)
    const entities = (precision: string) => {
      const argv = ['predict', '--model', 'o', '--precision', precision, '--text', sentence, '--json']
      const made = bioalbert(argv)
      assert.is(made.status, 0, made.stderr)
      return last(made.stdout).entities as { text: string; score: number }[]
    }
    const [low, full] = [entities(precision), entities('f32')]
    assert.equal(
      low.map((e) => e.text),
      full.map((e) => e.text),
    )
    low.forEach((e, i) => {
      assert.ok(Math.abs(e.score - full[i].score) < 0.05, `score ${e.score}, in f32 ${full[i].score}`)
    })
    assert.ok(
      low.some((e, i) => e.score !== full[i].score),
      `${precision} changes no digit`,
    )
  })

test('int8 is for inference: what trains refuses it, and an unknown precision is refused by all', () => {
  const cases: [string, RegExp][] = [
    [
      finetune('q', '--precision', 'int8').join(' '),
      /'int8' is invalid. Allowed choices are f32, bf16, f16\./,
    ],
    ['pretrain --preset nano --precision int8', /'int8' is invalid. Allowed choices are f32, bf16, f16\./],
    ['plan --preset nano --precision int8', /'int8' is invalid. Allowed choices are f32, bf16, f16\./],
    [
      'profile finetune --preset nano --precision int8',
      /--precision int8 is for inference \(want f32 or bf16/,
    ],
    ['predict --model o --precision int4', /'int4' is invalid. Allowed choices are f32, bf16, f16, int8\./],
    ['evaluate ner --data d/test.tsv --model o --precision f8', /'f8' is invalid. .* f32, bf16, f16, int8\./],
    // f16 is on WebGPU
    ...[
      'evaluate ner --data d/test.tsv --model o',
      'predict --model o --text fever',
      'serve --model o --port 0',
      'plan --preset nano',
      'profile predict --preset nano --rows 64',
      finetune('q').join(' '),
    ].map((command): [string, RegExp] => [
      `${command} --precision f16`,
      /precision f16 is not there on cpu \(.*\) \(want bf16\)/,
    ]),
  ]
  for (const [command, message] of cases) {
    const { stderr, status } = bioalbert(command.split(' '))
    assert.is(status, 2, command)
    assert.match(stderr, message)
  }
})

test('finetune in bf16 learns as well', () => {
  const run = (...more: string[]) =>
    bioalbert(finetune('low', '--total-steps', '120', '--eval-every', '60', '--precision', 'bf16', ...more))
  const { stdout, stderr, status } = run()
  assert.is(status, 0, stderr)
  assert.match(stderr, /bf16/)
  assert.ok(last(stdout).dev.f1 > 0.6, `F1 ${last(stdout).dev.f1}`)
})

test('JSON lines have an object for each line, with offsets in characters', () => {
  const text = `${sentence}\n\n\u{1f912} ${sentence} Patients had cough.\r\n`
  const { stdout, stderr, status } = bioalbert(['predict', '--model', 'o', '--format', 'jsonl'], text)
  assert.is(status, 0, stderr)
  const objects = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(
    objects.map((object) => object.text),
    [sentence, '', `\u{1f912} ${sentence} Patients had cough.`],
  )
  assert.is(objects[1].entities.length, 0)
  assert.ok(objects[2].entities.length >= 2)
  for (const { text: line, entities } of objects)
    for (const entity of entities) {
      assert.is([...line].slice(entity.start, entity.end).join(''), entity.text)
      assert.is(entity.type, 'Sign')
      assert.ok(entity.score > 0 && entity.score <= 1)
    }
})

test('CoNLL has every word once, a blank line after each sentence', () => {
  writeFileSync(join(folder, 'text'), `${sentence} Patients had cough.\n\n${sentence}\n`)
  const { stdout, stderr, status } = bioalbert(['predict', 'text', '--model', 'o', '--format', 'conll'])
  assert.is(status, 0, stderr)
  const words = (text: string) => text.match(/\w+|[^\w\s]/g)?.join(' ')
  const blocks = stdout.trimEnd().split('\n\n')
  assert.equal(
    blocks.map((block) => block.replace(/\t\S+/g, '').replace(/\n/g, ' ').trim()),
    [sentence, 'Patients had cough.', sentence].map(words),
  )
  for (const row of stdout.split('\n')) if (row !== '') assert.match(row, /^\S+\t(O|[BI]-Sign)$/)
})

test('a sentence longer than a window is labelled to its end', () => {
  const long = `${'the patient had zinc and '.repeat(60)}cough .`
  const { stdout, stderr, status } = bioalbert([
    'predict',
    '--model',
    'o',
    '--format',
    'conll',
    '--text',
    long,
  ])
  assert.is(status, 0, stderr)
  assert.is(stdout.trimEnd().split('\n').length, 60 * 5 + 2)
})

test('nothing comes of nothing', () => {
  const { stdout, stderr, status } = bioalbert(['predict', '--model', 'o'])
  assert.is(status, 0, stderr)
  assert.is(stdout, '')
})

test('an interrupt writes a checkpoint and says how to go on', async () => {
  const options = finetune('stopped', '--total-steps', '60', '--eval-every', '10')
  const child = spawn(process.execPath, [commandLine, ...options], { cwd: folder })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    if (!child.killed && /^step 10: dev/m.test(stderr)) child.kill('SIGINT')
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  assert.is(status, 130)
  assert.match(stderr, /--resume/)
  const { step, interrupted } = last(stdout)
  assert.ok(interrupted)
  assert.equal(
    readdirSync(join(folder, 'stopped')).filter((name) => name.startsWith('checkpoint')),
    [`checkpoint-${step}`],
  )
  const refused = bioalbert(options)
  assert.is(refused.status, 2)
  assert.match(refused.stderr, /--resume/)
  const resumed = bioalbert([...options, '--resume'])
  assert.is(resumed.status, 0, resumed.stderr)
  assert.is(last(resumed.stdout).steps, 60)
})

test('a run killed twice and resumed ends in the same bits', async () => {
  const options = ['--total-steps', '40', '--eval-every', '4', '--dropout', '0.1', '--rows', '128']
  assert.is(bioalbert(finetune('whole', ...options)).status, 0)
  for (let kills = 0; kills < 2; kills++) {
    const child = spawn(process.execPath, [commandLine, ...finetune('killed', ...options, '--resume')], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let seen = 0
    child.stderr.on('data', (chunk: Buffer) => {
      // somewhere after the second scoring that this process made
      seen += chunk.toString().split(/^step /m).length - 1
      if (seen >= 2) setTimeout(() => child.kill('SIGKILL'), 13 * kills)
    })
    const signal = await new Promise((resolve) => child.on('close', (_, name) => resolve(name)))
    assert.is(signal, 'SIGKILL', 'ended before it was killed')
  }
  const { status, stderr } = bioalbert(finetune('killed', ...options, '--resume'))
  assert.is(status, 0, stderr)
  const weights = (out: string) => readFileSync(join(folder, out, 'model.safetensors'))
  assert.ok(weights('killed').equals(weights('whole')))
  const predictions = (out: string) => readFileSync(join(folder, out, 'test_predictions.tsv'), 'utf8')
  assert.is(predictions('killed'), predictions('whole'))
})

test('a run killed before its first scoring is started by --resume, which says so', async () => {
  const options = ['--total-steps', '100000', '--eval-every', '100000']
  const child = spawn(process.execPath, [commandLine, ...finetune('early', ...options)], { cwd: folder })
  const log = join(folder, 'early', 'log.jsonl')
  while (child.exitCode === null && !existsSync(log)) await sleep(1)
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.equal(readdirSync(join(folder, 'early')).sort(), ['lock', 'log.jsonl'], 'what it leaves')
  const shorter = ['--total-steps', '4', '--eval-every', '2']
  const refused = bioalbert(finetune('early', ...shorter))
  assert.is(refused.status, 2)
  assert.match(refused.stderr, /early: is there already.*start it again by --resume/)
  // as if it had been killed between its first model and its first checkpoint
  for (const name of ['task.json', 'model.safetensors']) writeFileSync(join(folder, 'early', name), 'cut')
  const { status, stderr } = bioalbert(finetune('early', ...shorter, '--resume'))
  assert.is(status, 0, stderr)
  assert.match(stderr, /resume: early has no checkpoint yet, so the run starts at its beginning/)
  assert.is(bioalbert(finetune('short', ...shorter)).status, 0)
  const weights = (out: string) => readFileSync(join(folder, out, 'model.safetensors'))
  assert.ok(weights('early').equals(weights('short')))
})

test('--resume touches no folder that is not a run', () => {
  const folders: Record<string, string>[] = [
    { 'notes.txt': 'mine' },
    { 'model.safetensors': 'mine', 'log.jsonl': '' },
  ]
  for (const files of folders) {
    const own = folderWith(files)
    const { status, stderr } = bioalbert(finetune(own, '--total-steps', '2', '--resume'))
    assert.is(status, 1)
    assert.match(
      stderr,
      /: holds (notes\.txt|model\.safetensors) but no checkpoint; there is no run to resume/,
    )
    assert.equal(readdirSync(own).sort(), Object.keys(files).sort())
  }
})

test('a model of sentences of documents answers by line, from its sentences', () => {
  const rows = 'index\ttext\tlabels\n7_s0\tthe fever .\ta\n7_s1\tthe cough .\t\n8_s0\tthe zinc .\tb\n'
  mkdirSync(join(folder, 'documents'))
  for (const part of ['train', 'dev', 'test'])
    writeFileSync(join(folder, 'documents', `${part}_sentences.tsv`), rows)
  const trained = bioalbert(
    'finetune documents --form sentence --preset nano --data documents --tokenizer v --out of --total-steps 2 --json'.split(
      ' ',
    ),
  )
  assert.is(trained.status, 0, trained.stderr)
  const { stdout, stderr, status } = bioalbert(
    ['predict', '--model', 'of', '--json'],
    'The patient had fever. And cough.\n\n',
  )
  assert.is(status, 0, stderr)
  const [first, empty] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(
    first.sentences.map(({ text }: { text: string }) => text),
    ['The patient had fever.', 'And cough.'],
  )
  const each = first.sentences.map(({ probabilities }: { probabilities: number[] }) => probabilities)
  assert.equal(
    first.probabilities,
    [0, 1].map((k) => Math.max(each[0][k], each[1][k])),
  )
  assert.is(empty.labels, null)
})

test.run()
