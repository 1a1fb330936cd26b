/** Pretraining in bf16: its loss follows that of f32, and a run keeps its precision. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { pretrainingData } from '../support/pretraining_case.js'

const test = suite('pretraining in bf16')

const STEPS = 300
/** Means of so many losses are compared. */
const SMOOTH = 20
/** Largest difference of smoothed losses, which go from 4.7 to 2.4; 0.0054 was measured. */
const BOUND = 0.015

const data = await pretrainingData()

function pretrain(out: string, ...more: string[]) {
  const argv = `pretrain --preset nano --batch 8 --dropout 0 --instances i --tokenizer v --out ${out} --threads 1 --json`
  return spawnSync(process.execPath, [commandLine, ...argv.split(' '), ...more], {
    cwd: data.folder,
    encoding: 'utf8',
  })
}

function losses(out: string): number[] {
  const lines = readFileSync(join(data.folder, out, 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.map((line) => JSON.parse(line)).flatMap(({ loss }) => (typeof loss === 'number' ? [loss] : []))
}

const smoothed = (x: number[]) =>
  Array.from(
    { length: x.length - SMOOTH + 1 },
    (_, i) => x.slice(i, i + SMOOTH).reduce((a, b) => a + b) / SMOOTH,
  )

test(`over ${STEPS} steps of nano the loss follows that of f32`, () => {
  for (const precision of ['f32', 'bf16']) {
    const { status, stderr } = pretrain(precision, '--total-steps', `${STEPS}`, '--precision', precision)
    assert.is(status, 0, stderr)
    assert.match(stderr, new RegExp(`memory: .*, ${precision}`))
  }
  const [f32, bf16] = [losses('f32'), losses('bf16')]
  assert.is(f32.length, STEPS)
  assert.is(bf16.length, STEPS)
  const [full, low] = [smoothed(f32), smoothed(bf16)]
  const largest = Math.max(...full.map((v, i) => Math.abs(v - low[i])))
  assert.ok(full.at(-1)! < full[0] - 1, `f32 learns: ${full[0]} to ${full.at(-1)}`)
  assert.ok(largest < BOUND, `the smoothed losses differ by ${largest}`)
  assert.ok(largest > 0, 'bf16 computed what f32 did')
})

test('a resumed run keeps its precision, and refuses another', () => {
  const first = pretrain('kept', '--total-steps', '6', '--steps', '3', '--precision', 'bf16')
  assert.is(first.status, 0, first.stderr)
  const other = pretrain('kept', '--resume', '--precision', 'f32')
  assert.is(other.status, 2, other.stderr)
  assert.match(other.stderr, /the run was started with precision bf16, not f32/)
  const again = pretrain('kept', '--resume')
  assert.is(again.status, 0, again.stderr)
  const whole = pretrain('whole', '--total-steps', '6', '--precision', 'bf16')
  assert.is(whole.status, 0, whole.stderr)
  const weights = (out: string) => readFileSync(join(data.folder, out, 'model.safetensors'))
  assert.ok(weights('kept').equals(weights('whole')), 'the same bits as a run that was not stopped')
})

test.run()
