/** A pretraining run killed at any moment and resumed ends in the same bits as one that nobody disturbed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../../support/paths.js'
import { pretrainingData } from '../../support/pretraining_case.js'
import { random } from '../../support/random.js'

const test = suite('resume')

const STEPS = 24
const data = await pretrainingData({ masking: 'dynamic' })

/** Accumulation (a step is cut into 3 or more), dropout, and a checkpoint every other step. */
const common =
  `pretrain --preset nano --total-steps ${STEPS} --batch 10 --rows 100 --dropout 0.1 ` +
  '--warmup 3 --save-every 2 --eval-every 8 --keep 2 --instances i --tokenizer v --json'

interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

function start(...more: string[]): { child: ChildProcess; end: Promise<Ended> } {
  const child = spawn(process.execPath, [commandLine, ...common.split(' '), ...more], { cwd: data.folder })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const end = new Promise<Ended>((resolve) => {
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
  return { child, end }
}

async function complete(...more: string[]): Promise<Ended> {
  const ended = await start(...more).end
  assert.is(ended.status, 0, ended.stderr)
  return ended
}

/** Everything that must not depend on who disturbed the run, by name. */
function outcome(out: string): Record<string, string | Buffer> {
  const dir = join(data.folder, out)
  const log = readFileSync(join(dir, 'log.jsonl'), 'utf8').replace(/,"tokens_per_second":\d+/g, '')
  const state = readFileSync(join(dir, `checkpoint-${STEPS}`, 'state.json'), 'utf8')
  return {
    log,
    state: state.replace(/"tokens_per_second": \d+/, ''),
    weights: readFileSync(join(dir, 'model.safetensors')),
    moments: readFileSync(join(dir, `checkpoint-${STEPS}`, 'optimizer.safetensors')),
    folder: readdirSync(dir, { recursive: true }).sort().join('\n'),
  }
}

function same(out: string, other: string): void {
  const expected = outcome(other)
  for (const [name, found] of Object.entries(outcome(out))) {
    const equal =
      typeof found === 'string' ? found === expected[name] : found.equals(expected[name] as Buffer)
    assert.ok(equal, `${name} of ${out} and ${other} differ`)
  }
}

/** Updates that the log of a run knows of. */
function logged(out: string): number {
  const path = join(data.folder, out, 'log.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}

/** Kills and resumes a run up to its end, or four times while it trains, of which it tells the number. */
async function killAgainAndAgain(): Promise<number> {
  const { integer } = random(Date.now())
  let midway = 0
  for (let kills = 0; midway < 4 && kills < 30; kills++) {
    const { child, end } = start('--out', 'killed', '--resume')
    const before = logged('killed')
    const wanted = before + integer(1, 7)
    // steps follow each other in milliseconds, writing a checkpoint takes as long: every place is hit in the end
    while (child.exitCode === null && logged('killed') < wanted) await sleep(2)
    await sleep(integer(0, 40))
    if (child.exitCode !== null) break
    child.kill('SIGKILL')
    await end
    if (logged('killed') > 0) midway++
  }
  return midway
}

test('killed with SIGKILL at random moments, weights, moments, log and folder are as if undisturbed', async () => {
  await complete('--out', 'whole')
  // a machine that is busy elsewhere may let a run end before this process comes to kill it: then it begins anew
  let midway = 0
  for (let attempt = 0; attempt < 6 && midway < 2; attempt++) {
    rmSync(join(data.folder, 'killed'), { recursive: true, force: true })
    midway = await killAgainAndAgain()
  }
  assert.ok(midway >= 2, `only ${midway} kills hit a running training`)
  await complete('--out', 'killed', '--resume')
  same('killed', 'whole')
})

test('killed before its first checkpoint it is started by --resume, which says so, and by nothing else', async () => {
  const { child, end } = start(
    ...'--out early --total-steps 100000 --save-every 100000 --eval-every 100000'.split(' '),
  )
  while (child.exitCode === null && logged('early') < 1) await sleep(1)
  child.kill('SIGKILL')
  await end
  const names = readdirSync(join(data.folder, 'early')).sort()
  assert.equal(names, ['lock', 'log.jsonl'], 'what it leaves')
  const refused = await start('--out', 'early').end
  assert.is(refused.status, 2)
  assert.match(refused.stderr, /early: is there already.*start it again by --resume/)
  const { stderr } = await complete('--out', 'early', '--resume')
  assert.match(stderr, /resume: early has no checkpoint yet, so the run starts at its beginning/)
  if (!existsSync(join(data.folder, 'whole'))) await complete('--out', 'whole')
  same('early', 'whole')
})

test('a folder with nothing but the claim of a process that is gone counts as empty, of one that is there as in use', async () => {
  const lock = (out: string, owner: string) => {
    mkdirSync(join(data.folder, out))
    symlinkSync(owner, join(data.folder, out, 'lock'))
  }
  // numbers of processes end far below
  lock('dead', `${2 ** 30} on ${hostname()}`)
  lock('live', `${process.pid} on ${hostname()}`)
  await complete('--out', 'dead', '--steps', '2')
  for (const more of [[], ['--resume']]) {
    const { status, stderr } = await start('--out', 'live', ...more).end
    assert.is(status, 2)
    assert.match(stderr, new RegExp(`live: is in use by process ${process.pid} on `))
  }
})

test('another number of threads gives the same bits', async () => {
  if (!existsSync(join(data.folder, 'whole'))) await complete('--out', 'whole')
  await complete('--out', 'threads', '--threads', '3')
  same('threads', 'whole')
})

test('ended early by --steps and resumed, it is the same run', async () => {
  const first = await complete('--out', 'parts', '--steps', '8')
  assert.is(JSON.parse(first.stdout).steps, 8)
  await complete('--out', 'parts', '--resume')
  same('parts', 'whole')
})

test('SIGINT finishes the step, writes a checkpoint and says how to go on', async () => {
  const { child, end } = start('--out', 'interrupted', '--save-every', '1000', '--eval-every', '1000')
  while (child.exitCode === null && logged('interrupted') < 2) await sleep(2)
  child.kill('SIGINT')
  const { status, stdout, stderr } = await end
  if (status === 0) return // it had come to its end
  assert.is(status, 130, stderr)
  assert.match(stderr, /interrupted/)
  const result = JSON.parse(stdout)
  assert.is(result.interrupted, true)
  assert.ok(existsSync(join(data.folder, 'interrupted', `checkpoint-${result.steps}`)))
  const resumed = await complete('--out', 'interrupted', '--resume')
  assert.match(resumed.stderr, new RegExp(`resume: .*checkpoint-${result.steps}`))
  assert.ok(
    readFileSync(join(data.folder, 'interrupted', 'model.safetensors')).equals(
      outcome('whole').weights as Buffer,
    ),
  )
})

test.run()
