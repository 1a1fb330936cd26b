/**
 * A new run from the weights and moments of another: with a schedule that has the rates which the other's would have had,
 * it ends in the bits of the run that never stopped. Rates are halves of each other, so that no rounding comes between.
 * And what --resume knows by itself: the vocabulary, and where the instances are.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../../support/paths.js'
import { pretrainingData } from '../../support/pretraining_case.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('pretraining that goes on from another run')

const data = await pretrainingData({ masking: 'dynamic' })
const other = await pretrainingData({ documents: 60 })
const { folder } = data

interface Ended {
  status: number | null
  stdout: string
  stderr: string
}
function run(line: string, cwd = folder): Ended {
  return spawnSync(process.execPath, [commandLine, 'pretrain', ...line.split(' ')], { cwd, encoding: 'utf8' })
}
function complete(line: string, cwd = folder): Ended {
  const ended = run(line, cwd)
  assert.is(ended.status, 0, ended.stderr)
  return ended
}
function refused(line: string, status: number, ...says: RegExp[]): void {
  const { status: found, stderr } = run(line)
  assert.is(found, status, stderr)
  for (const pattern of says) assert.match(stderr, pattern)
}

const from = '--instances i --tokenizer v'
const cadence = '--save-every 2 --eval-every 100 --keep 20 --quiet'
/** Dropout, accumulation, and moments whose age counts. */
const settings = '--preset nano --batch 10 --rows 100 --dropout 0.1 --bias-correction --seed 9'
complete(`${from} ${settings} --total-steps 16 --warmup 0 --learning-rate 0.015625 --out whole ${cadence}`)

const bytes = (path: string) => readFileSync(join(folder, path))
const losses = (out: string) =>
  bytes(`${out}/log.jsonl`)
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => 'lr' in line)
    .map(({ loss, lr, grad_norm }) => ({ loss, lr, grad_norm }))

function sameEnd(out: string, steps: number): void {
  assert.equal(losses(out), losses('whole').slice(-steps), 'losses, rates and norms')
  assert.ok(bytes(`${out}/model.safetensors`).equals(bytes('whole/model.safetensors')), 'weights')
  const moments = (dir: string) => bytes(`${dir}/optimizer.safetensors`)
  assert.ok(moments(`${out}/checkpoint-${steps}`).equals(moments('whole/checkpoint-16')), 'moments')
}

test('half the rate over half the steps from the middle is the run that never stopped', () => {
  const { stderr } = complete(
    '--continue-from whole/checkpoint-8 --total-steps 8 --warmup 0 --learning-rate 0.0078125 --out half --save-every 2 --keep 20',
  )
  assert.match(stderr, /start: weights and moments of whole\/checkpoint-8, steps counted from 0; data go on/)
  sameEnd('half', 8)
})

test('so is one that goes on from a run which went on itself', () => {
  complete(
    `--continue-from half/checkpoint-4 --total-steps 4 --warmup 0 --learning-rate 0.00390625 --out quarter ${cadence}`,
  )
  sameEnd('quarter', 4)
})

test('stopped early and resumed without any option, it is the same', () => {
  const options = '--total-steps 8 --warmup 0 --learning-rate 0.0078125'
  complete(`--continue-from whole/checkpoint-8 ${options} --out stopped --steps 3 ${cadence}`)
  complete(`--out stopped --resume ${cadence}`)
  sameEnd('stopped', 8)
  // the command that it was started with goes on too, whatever has become of the other run
  complete(`--continue-from gone ${options} --out stopped --resume ${cadence}`)
})

test('the weights alone, or moments that count as new, end elsewhere', () => {
  const options = `--total-steps 8 --warmup 0 --learning-rate 0.0078125 ${cadence}`
  complete(`${from} --init whole/checkpoint-8 ${settings} ${options} --out init`)
  assert.not(bytes('init/model.safetensors').equals(bytes('whole/model.safetensors')))
  cpSync(join(folder, 'whole/checkpoint-8'), join(folder, 'young/checkpoint-8'), { recursive: true })
  const state = JSON.parse(bytes('young/checkpoint-8/state.json').toString())
  writeFileSync(join(folder, 'young/checkpoint-8/state.json'), JSON.stringify({ ...state, updates: -8 }))
  complete(`--continue-from young ${options} --out younger`)
  assert.not(bytes('younger/model.safetensors').equals(bytes('whole/model.safetensors')))
})

test('settings that are not named are those of the run, and any but the sizes may change', () => {
  const of = (out: string) => JSON.parse(bytes(`${out}/checkpoint-2/state.json`).toString()).settings
  complete(`--continue-from whole --total-steps 30 --steps 2 --out same ${cadence}`)
  const [before, same] = [of('whole'), of('same')]
  assert.equal(same, { ...before, schedule: { ...before.schedule, total: 30 } })
  const changes =
    '--batch 6 --rows 200 --optimizer adamw --dropout 0 --precision bf16 --recompute --seed 3 --clip 2'
  const { stderr } = complete(
    `--continue-from whole --total-steps 30 --warmup 2 ${changes} --steps 2 --out changed --save-every 2`,
  )
  assert.match(stderr, /data from their beginning/)
  const changed = of('changed')
  assert.equal(
    [changed.batch, changed.rows, changed.optimizer.name, changed.optimizer.clip, changed.config.dropout],
    [6, 200, 'adamw', 2, 0],
  )
  assert.equal([changed.precision, changed.seed, changed.schedule.warmup], ['bf16', 3, 2])
  assert.is(changed.schedule.peak, 0.001, 'another optimizer has its own rate')
  assert.ok(changed.optimizer.biasCorrection)
  refused(
    '--continue-from whole --layers 3 --out x',
    2,
    /layers is to be 3, but the model to start from has 2/,
  )
  refused('--continue-from whole --preset mini --out x', 2, /but the model to start from has/)
})

test('other instances of the same vocabulary are gone through from their beginning', () => {
  const { stderr } = complete(
    `--continue-from whole --instances ${other.instances} --total-steps 4 --out elsewhere --save-every 2`,
  )
  assert.match(stderr, /data from their beginning/)
})

test('what is no checkpoint is refused', () => {
  refused('--continue-from nowhere --out x', 1, /nowhere: found no such folder, expected the folder of a run/)
  refused('--continue-from v --out x', 1, /v: found no checkpoint/)
  refused(`--continue-from whole --init whole --out x`, 2, /either --init or --continue-from/)
  assert.not(existsSync(join(folder, 'x')))
})

test('--resume with another setting tells how to go on with it, both ways', () => {
  refused(
    '--out whole --resume --batch 8',
    2,
    /whole\/checkpoint-16: the run was started with batch 10, not 8/,
    /To go on with the same run: leave out --batch\./,
    /To take its weights and moments into a new run with another --batch: --continue-from whole\/checkpoint-16 and a new --out/,
  )
  refused('--out whole --resume --learning-rate 0.1', 2, /leave out --learning-rate\./)
  refused('--out whole --resume --layers 3', 2, /leave out --layers\. Its weights fit no other sizes/)
})

// The run that the tests of --resume go on with: ended early, its checkpoint moved to where a test wants it.
complete(`${from} ${settings} --total-steps 16 --out early --steps 4 --save-every 2 --keep 1 --quiet`)
function early(): string {
  const place = join(temporaryFolder(), 'early')
  cpSync(join(folder, 'early'), place, { recursive: true })
  return place
}
const resume = '--resume --save-every 2 --keep 1'

test('--resume needs neither vocabulary nor instances, from anywhere, and the vocabulary outlives its checkpoint', () => {
  const out = early()
  const { stderr } = complete(`--out ${out} ${resume}`, temporaryFolder())
  assert.match(stderr, /resume: .*checkpoint-4$/m)
  complete(`${from} ${settings} --total-steps 16 --out undisturbed ${cadence}`)
  assert.ok(readFileSync(join(out, 'model.safetensors')).equals(bytes('undisturbed/model.safetensors')))
  for (const dir of [out, join(out, 'checkpoint-16')])
    assert.ok(readFileSync(join(dir, 'tokenizer.json')).equals(bytes('v/tokenizer.json')), dir)
})

test('instances that have moved are asked for, found at their new place, and known there from then on', () => {
  const out = early()
  const moved = join(temporaryFolder(), 'moved')
  renameSync(data.instances, moved)
  try {
    const { status, stderr } = run(`--out ${out} ${resume}`)
    assert.is(status, 2)
    assert.match(stderr, /is on the instances .*\/i, which are not there any more; .*--instances DIR/)
    const said = complete(`--out ${out} ${resume} --instances ${moved} --steps 6`).stderr
    assert.match(said, /its instances were in .*\/i, now in .*\/moved/)
    complete(`--out ${out} ${resume}`)
  } finally {
    renameSync(moved, data.instances)
  }
})

test('other instances are refused, even with the same counts', () => {
  const out = early()
  refused(`--out ${out} ${resume} --instances ${other.instances}`, 1, /started on other instances/)
  const twin = join(temporaryFolder(), 'twin')
  cpSync(data.instances, twin, { recursive: true })
  const manifest = join(twin, 'instances.json')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"seed": \d+/, '"seed": 77'))
  refused(
    `--out ${out} ${resume} --instances ${twin}`,
    1,
    /started on other instances \(instancesDigest \w{64}, here \w{64}\)/,
  )
})

test('a checkpoint of an earlier version asks for the instances, and takes them', () => {
  const out = early()
  const path = join(out, 'checkpoint-4', 'state.json')
  const { instances: _, updates: __, ...state } = JSON.parse(readFileSync(path, 'utf8'))
  delete state.data.instancesDigest
  writeFileSync(path, JSON.stringify(state))
  refused(`--out ${out} ${resume}`, 2, /checkpoint-4: does not tell which instances .*--instances DIR/)
  complete(`--out ${out} ${resume} --instances i`)
  assert.ok(readFileSync(join(out, 'model.safetensors')).equals(bytes('undisturbed/model.safetensors')))
})

test('without a checkpoint both are asked for', () => {
  refused('--preset nano --out x', 2, /--instances <dir>/)
  refused('--preset nano --instances i --out x', 2, /--tokenizer <dir>/)
  refused('--preset nano --out x --resume', 2, /--instances <dir>' not specified \(x has no checkpoint yet/)
  assert.not(existsSync(join(folder, 'x')))
})

test('another vocabulary than that of the checkpoint is refused', () => {
  const out = early()
  const strange = join(temporaryFolder(), 'v')
  cpSync(data.tokenizer, strange, { recursive: true })
  const file = join(strange, 'tokenizer.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('fever', 'rever'))
  refused(`--out ${out} ${resume} --tokenizer ${strange}`, 1, /made with tokenizer/)
  rmSync(strange, { recursive: true })
})

test.run()
