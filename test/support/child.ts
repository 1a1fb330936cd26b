/**
 * Runs one built test file in a process of its own and reports to the runner over the IPC channel.
 * uvu queues suites instead of running them when UVU_DEFER is set (as its own command line does), so that the
 * counts come from the suites and not from parsed output. Started by run.ts: `child.js FILE`.
 */
import { pathToFileURL } from 'node:url'
import { type Skip, skips } from './skip.js'
import { type Tally, tallies } from './tally.js'

/** What a test file did. */
export interface Report {
  passed: number
  failed: number
  /** uvu's count: with a reason through skip.ts, or without one through `test.skip` and `test.only`. */
  skipped: number
  reasons: Skip[]
  /** What was found on each instruction set; other tests are not among them. */
  sets: Tally[]
  /** Of all processors, the start of the process included. */
  seconds: number
  /** Failures as uvu formats them. */
  failures: string
}

type QueuedSuite = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>

const deferred = globalThis as { UVU_DEFER?: number; UVU_QUEUE?: [null, ...QueuedSuite[]][] }
deferred.UVU_DEFER = 1
deferred.UVU_QUEUE = [[null]]

await import(pathToFileURL(process.argv[2]).href)

const report: Report = {
  passed: 0,
  failed: 0,
  skipped: 0,
  reasons: skips(),
  sets: [],
  seconds: 0,
  failures: '',
}
for (const suite of deferred.UVU_QUEUE[0].slice(1) as QueuedSuite[]) {
  const [errors, passed, skipped, total] = await suite()
  report.passed += passed
  report.failed += total - passed
  report.skipped += skipped
  if (typeof errors === 'string') report.failures += `${errors}\n`
  // uvu swallows what a `before` hook throws: the suite then ends with tests that were never run.
  else if (passed < total) report.failures += '  a `before` hook threw: no test of its suite ran\n'
}
report.sets = tallies()
const { user, system } = process.cpuUsage()
report.seconds = (user + system) / 1e6
process.send?.(report, () => process.disconnect())
