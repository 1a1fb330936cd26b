/**
 * What bf16 does to training: 1,000 pretraining steps of `nano` on an invented corpus in f32 and in bf16, from the same
 * seed on the same instances. Keeps both curves of the loss, smoothed, and their largest and last difference. It is no
 * race: the numbers are the same on every machine of one instruction set.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quick } from '../support/bench.js'
import { temporaryFolder } from '../support/folder.js'
import { threads } from '../support/peers.js'
import { recordCurves, recordFigure } from '../support/record.js'

const STEPS = quick ? 30 : 1000
/** A point is the mean of so many losses, half of them after it. */
const SMOOTH = quick ? 4 : 50
const EVERY = quick ? 2 : 10
/** Smoothed losses that differ by more are no longer the same training. */
const BOUND = 0.05
const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
const folder = temporaryFolder()

try {
  bioalbert('synthesize --out s --documents 400')
  bioalbert('vocab train s/corpus.txt --out v --size 1000')
  bioalbert('corpus s/corpus.txt --out c')
  bioalbert('instances --corpus c --tokenizer v --out i --seq-length 64 --masking dynamic')
  const steps = Array.from(
    { length: Math.floor((STEPS - SMOOTH) / EVERY) + 1 },
    (_, i) => SMOOTH / 2 + i * EVERY,
  )
  const curve = (precision: string) => {
    const start = performance.now()
    bioalbert(
      `pretrain --preset nano --instances i --tokenizer v --out ${precision} --batch 16 --total-steps ${STEPS} ` +
        `--precision ${precision} --threads ${threads}`,
    )
    console.log(`${precision}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
    const found = losses(precision)
    return steps.map((step) => {
      const part = found.slice(step - SMOOTH / 2, step + SMOOTH / 2)
      return Number((part.reduce((a, b) => a + b) / part.length).toFixed(5))
    })
  }
  const [f32, bf16] = [curve('f32'), curve('bf16')]
  const differences = f32.map((v, i) => bf16[i] - v)
  const largest = Math.max(...differences.map(Math.abs))
  const last = differences.at(-1)!
  const [from, to] = [f32[0], f32.at(-1)!].map((v) => v.toFixed(2))
  const what = `loss of bf16 beside f32, nano, ${STEPS.toLocaleString('en-US')} steps from ${from} to ${to}`
  const value = `${largest.toFixed(4)} apart at most, ${Math.abs(last).toFixed(4)} at the end`
  console.log(`${what}: ${value} (means of ${SMOOTH} steps)`)
  if (!quick && !(f32.at(-1)! < f32[0] - 0.5))
    throw new Error(`f32 does not learn: ${f32[0]} to ${f32.at(-1)}`)
  if (!(largest < BOUND))
    throw new Error(`the smoothed losses differ by ${largest} (want less than ${BOUND})`)
  if (largest === 0) throw new Error('bf16 computed what f32 did')
  recordFigure({ what, value })
  recordCurves({ step: steps, f32, bf16 })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function bioalbert(command: string): void {
  const { status, stderr } = spawnSync(process.execPath, [cli, ...command.split(' ')], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`bioalbert ${command}: ${stderr}`)
}

function losses(out: string): number[] {
  const lines = readFileSync(join(folder, out, 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.map((line) => JSON.parse(line)).flatMap(({ loss }) => (typeof loss === 'number' ? [loss] : []))
}
