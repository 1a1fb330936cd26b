/**
 * The test runner: every test/**\/*.test.ts, built, in a process of its own, two at a time.
 * A file fails that has no test, ends badly, does not end, or does not let its process exit. Closes with
 * `N passed, N failed, N skipped` alone on the last line; exit status 1 when anything failed.
 * Usage: node dist/test/run.js [--jobs N] [--timeout SECONDS] [--grace SECONDS] [--verbose] [PART_OF_PATH ...]
 * `--by-set` adds what was found on each instruction set, file by file, with the seconds of all processors.
 * With `--built DIR` it runs the *.test.js of another folder, which its own tests use.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import type { Report } from './support/child.js'
import { root } from './support/paths.js'

interface Outcome {
  file: string
  report?: Report
  /** Why the file fails apart from failed tests. */
  problem?: string
  output: string
  seconds: number
}

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    built: { type: 'string' },
    'by-set': { type: 'boolean', default: false },
    // How long a process may live on after its last test.
    grace: { type: 'string', default: '15' },
    jobs: { type: 'string', default: '2' },
    // Of one file. The longest compiles native code, as an installation does: four minutes of two cores that it shares with others.
    timeout: { type: 'string', default: '900' },
    verbose: { type: 'boolean', default: false },
  },
})
const jobs = positive('jobs', options.jobs)
const timeout = positive('timeout', options.timeout) * 1000

/** What runs the files: another Node, such as an emulated one (test/arm.ts). */
const node = process.env.BIOALBERT_TEST_NODE ?? process.execPath
const exitGrace = positive('grace', options.grace) * 1000

const running = new Set<ChildProcess>()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of running) killGroup(child)
    process.exit(signal === 'SIGINT' ? 130 : 143)
  })
}

const folder = options.built ?? join(root, 'test')
const ending = options.built === undefined ? '.test.ts' : '.test.js'
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith(ending))
  .filter((file) => filters.length === 0 || filters.some((part) => `test/${file}`.includes(part)))
  .sort()

const outcomes: Outcome[] = []
const queue = [...files]
await Promise.all(Array.from({ length: jobs }, work))
conclude()

async function work(): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const outcome = await runFile(file)
    outcomes.push(outcome)
    print(outcome)
  }
}

function runFile(file: string): Promise<Outcome> {
  const built = join(options.built ?? join(root, 'dist', 'test'), file.replace(/\.ts$/, '.js'))
  if (!existsSync(built)) {
    return Promise.resolve({ file, problem: `not built: ${built} is missing`, output: '', seconds: 0 })
  }
  const started = performance.now()
  const child = spawn(node, [join(root, 'dist/test/support/child.js'), built], {
    cwd: root,
    // A group of its own, so that processes which the test started end with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  running.add(child)
  let output = ''
  let report: Report | undefined
  let problem: string | undefined
  let timer = setTimeout(() => stop(`took more than ${timeout / 1000} s`), timeout)
  const stop = (why: string) => {
    problem = why
    killGroup(child)
  }
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  child.on('message', (message) => {
    report = message as Report
    clearTimeout(timer)
    timer = setTimeout(
      () => stop(`its process did not exit within ${exitGrace / 1000} s of the last test`),
      exitGrace,
    )
  })
  return new Promise((resolve) => {
    child.on('error', (error) => stop(`could not be started: ${error.message}`))
    child.on('exit', () => {
      // What a test left running would hold the output pipes open, and the machine busy.
      killGroup(child)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      running.delete(child)
      if (problem === undefined) problem = verdict(report, code, signal)
      resolve({ file, report, problem, output, seconds: (performance.now() - started) / 1000 })
    })
  })
}

function verdict(
  report: Report | undefined,
  code: number | null,
  signal: NodeJS.Signals | null,
): string | undefined {
  const end = signal === null ? `exit status ${code}` : `killed by ${signal}`
  if (report === undefined) return `ended before its tests did (${end})`
  if (code !== 0) return `ended badly after its tests (${end})`
  if (report.passed + report.failed + report.skipped === 0) return 'ran no test: is `.run()` missing?'
  return undefined
}

function print(outcome: Outcome): void {
  const { file, report, problem, output, seconds } = outcome
  const good = problem === undefined && report?.failed === 0
  const counts = report === undefined ? '' : `${report.passed} of ${report.passed + report.failed}, `
  const skipped = report?.skipped ? `, ${report.skipped} skipped` : ''
  console.log(`${good ? 'ok  ' : 'FAIL'} ${file} (${counts}${seconds.toFixed(1)} s${skipped})`)
  if (good && !options.verbose) return
  if (problem !== undefined) console.log(`  ${problem}`)
  if (report?.failures) console.log(report.failures)
  if (output.trim() !== '') console.log(`${output.trimEnd().replace(/^/gm, '  | ')}\n`)
}

function conclude(): void {
  let passed = 0
  let failed = 0
  let skipped = 0
  const bad: string[] = []
  outcomes.sort((a, b) => (a.file < b.file ? -1 : 1))
  for (const { file, report, problem } of outcomes) {
    passed += report?.passed ?? 0
    failed += (report?.failed ?? 0) + (problem === undefined ? 0 : 1)
    skipped += report?.skipped ?? 0
    if (problem !== undefined || report?.failed) bad.push(file)
    for (const { name, reason } of report?.reasons ?? []) console.log(`skipped: ${file}: ${name} (${reason})`)
    const unexplained = (report?.skipped ?? 0) - (report?.reasons.length ?? 0)
    if (unexplained > 0) console.log(`skipped: ${file}: ${unexplained} without a reason`)
  }
  if (files.length === 0) {
    console.log('no test file matches')
    failed++
  }
  if (options['by-set']) printBySet()
  for (const file of bad) console.log(`failed: ${file}`)
  process.exitCode = failed > 0 ? 1 : 0
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
}

function printBySet(): void {
  const of = (set: string) =>
    outcomes.flatMap(({ file, report }) =>
      (report?.sets ?? []).filter((tally) => tally.set === set).map((tally) => ({ file, ...tally })),
    )
  const line = (name: string, parts: { passed: number; failed: number; seconds: number }[]) => {
    const sum = (key: 'passed' | 'failed' | 'seconds') => parts.reduce((total, part) => total + part[key], 0)
    console.log(`  ${name}: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('seconds').toFixed(1)} s`)
  }
  const sets = new Set(outcomes.flatMap(({ report }) => report?.sets.map(({ set }) => set) ?? []))
  for (const set of sets) {
    console.log(`${set}`)
    const all = of(set)
    for (const part of all) line(part.file, [part])
    line('all', all)
  }
  console.log('once, on the best instruction set or on none; the start of the process included')
  const rest = outcomes.flatMap(({ file, report }) => {
    if (report === undefined) return []
    const left = { file, passed: report.passed, failed: report.failed, seconds: report.seconds }
    for (const { passed, failed, seconds } of report.sets) {
      left.passed -= passed
      left.failed -= failed
      left.seconds -= seconds
    }
    return [left]
  })
  for (const part of rest) line(part.file, [part])
  line('all', rest)
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The whole group has ended already.
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return Math.ceil(value)
  console.error(`--${name}: found ${text}, expected a positive number`)
  process.exit(2)
}
