/**
 * What a test file found on each instruction set. Tests that run on one register their body through `onSet`; the runner collects
 * the counts (test/run.ts --by-set).
 */
export interface Tally {
  /** Instruction set, or the name of another device that is judged. */
  set: string
  passed: number
  failed: number
  /** Seconds of all processors; tests of a file run one after the other. */
  seconds: number
}

const found = new Map<string, Tally>()

/** What this process found so far, in the order in which sets were first met. */
export function tallies(): Tally[] {
  return [...found.values()]
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** A test that is counted for an instruction set. */
export function onSet(set: string, body: () => unknown): () => Promise<void> {
  if (!found.has(set)) found.set(set, { set, passed: 0, failed: 0, seconds: 0 })
  const tally = found.get(set)!
  return async () => {
    const before = cpuSeconds()
    tally.failed++
    try {
      await body()
      tally.failed--
      tally.passed++
    } finally {
      tally.seconds += cpuSeconds() - before
    }
  }
}
