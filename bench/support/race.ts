/**
 * Ours against peers, fairly: one call of each in turn, the order reversed every other round, so that all see the same
 * machine, and a pause between calls in which threads that spin come to rest. Prints the median of each, and for every
 * one of ours the median over rounds of its best peer's time over its own, with the range.
 */
import { setTimeout } from 'node:timers/promises'
import { quick, time } from './bench.js'
import type { Cost } from './cost.js'
import { type Precision, RACED_PRECISIONS, type RacedPrecision, races } from './precisions.js'
import { record, recordRace } from './record.js'
import { speedText, type Whole } from './speed.js'

export interface Contestant<P extends RacedPrecision = Precision> {
  readonly name: string
  readonly precision: P
  readonly ours?: boolean
  /** One unit of work; resolves when it is done. May resolve to the seconds it took, measured nearer to the work. */
  run(): Promise<unknown>
  /** Seconds of processor time used so far; undefined where that is not known. */
  cpu?(): number | undefined
}

export interface RaceOptions {
  readonly rounds?: number
  /** Rounds that do not count. */
  readonly warmup?: number
  readonly whole?: Whole
  /**
   * Seconds for the rounds that count, in even shares: whoever would need more than its share for one turn more sits out the
   * rest, after one at least.
   */
  readonly budget?: number
  /** Told of a peer whose turn fails and which then is out of the race; without it the race rejects. */
  readonly failed?: (name: string, error: Error) => void
}

export interface Standing {
  readonly name: string
  readonly precision: RacedPrecision
  readonly ours: boolean
  /** Of each round. */
  readonly seconds: readonly number[]
  /** Seconds of a round: the median; the mean where rounds are different parts of a whole. */
  readonly typical: number
}

/** The seconds between two calls: libgomp spins for some milliseconds after a parallel region, our pool for less. */
const PAUSE = 20
/** Share of a core that may be in use by those whose turn it is not. */
const BUSY = 0.05

/** Processor time of this process: for contestants that run here. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Every one of ours against the best of its peers; all results are kept for the report. */
export async function race(
  name: string,
  cost: Cost,
  contestants: readonly Contestant<RacedPrecision>[],
  options: RaceOptions = {},
): Promise<void> {
  const racing = contestants.filter((one) => races(one.precision))
  const standings = await takeTurns(name, cost, racing, options)
  for (const ours of standings.filter((standing) => standing.ours)) {
    const best = bestPeer(standings, ours)
    const result = best && compared(ours, best)
    recordRace({
      name,
      precision: ours.precision,
      ...cost,
      ours: { name: ours.name, seconds: ours.typical },
      peer: best && { name: best.name, seconds: best.typical },
      ...result,
      rounds: best ? together(ours, best) : ours.seconds.length,
      whole: options.whole,
    })
    if (best && result)
      console.log(
        `${name}, ${ours.precision}: ${result.ratio.toFixed(2)} times as fast as ${best.name}, the best peer ` +
          `(${result.low.toFixed(2)} to ${result.high.toFixed(2)})`,
      )
  }
}

/** Runs all contestants `rounds` times in turn, prints and records what each took. */
export async function takeTurns(
  name: string,
  cost: Cost,
  contestants: readonly Contestant<RacedPrecision>[],
  { rounds = quick ? 1 : 5, warmup = quick ? 0 : 1, whole, budget, failed }: RaceOptions = {},
): Promise<Standing[]> {
  const seconds: number[][] = contestants.map(() => [])
  const spent = contestants.map(() => 0)
  const share = (budget ?? Number.POSITIVE_INFINITY) / contestants.length
  const busy: number[] = []
  const out = new Set<number>()
  const order = contestants.map((_, i) => i)
  for (let round = -warmup; round < rounds; round++) {
    for (const i of round % 2 === 0 ? order : [...order].reverse()) {
      if (out.has(i) || (round > 0 && spent[i] * (1 + 1 / round) > share)) {
        out.add(i)
        continue
      }
      await setTimeout(PAUSE)
      const before = contestants.map((one) => one.cpu?.() ?? 0)
      const start = performance.now()
      let own: unknown
      try {
        own = await contestants[i].run()
      } catch (error) {
        const { ours, name: who } = contestants[i]
        if (ours || !failed) throw error
        failed(who, error as Error)
        seconds[i] = []
        out.add(i)
        continue
      }
      const wall = (performance.now() - start) / 1000
      if (round >= 0) spent[i] += wall
      const used = contestants.map((one, k) => (one.cpu?.() ?? 0) - before[k])
      // contestants that share a process are one
      const others = order.filter((k) => k !== i && !(contestants[k].ours && contestants[i].ours))
      const ours = others.filter((k) => contestants[k].ours).slice(0, 1)
      const idle = [...others.filter((k) => !contestants[k].ours), ...ours]
      // a clock tick is 10 ms, so of short calls nothing can be said
      if (wall > 0.5) busy.push(idle.reduce((sum, k) => sum + used[k], 0) / wall)
      if (round >= 0) seconds[i].push(typeof own === 'number' ? own : wall)
    }
  }
  const standings = contestants
    .map(({ name: who, precision, ours = false }, i) => ({
      name: who,
      precision,
      ours,
      seconds: seconds[i],
      typical: whole === undefined ? median(seconds[i]) : mean(seconds[i]),
    }))
    // of who has failed there is nothing
    .filter((one) => one.seconds.length > 0)
  for (const standing of standings) printStanding(name, cost, standing, whole)
  if (contestants.length > 1 && busy.length > 0) {
    const share = Math.max(...busy)
    const note = share > BUSY ? ' (they disturb each other)' : ''
    console.log(`${name}: those who wait used at most ${(100 * share).toFixed(1)}% of a core${note}`)
  }
  return standings
}

/** The fastest peer that computes at least as exactly as `ours`. */
export function bestPeer(standings: readonly Standing[], ours: Standing): Standing | undefined {
  const exact = (one: Standing) =>
    RACED_PRECISIONS.indexOf(one.precision) <= RACED_PRECISIONS.indexOf(ours.precision)
  return standings.filter((one) => !one.ours && exact(one)).sort((a, b) => a.typical - b.typical)[0]
}

/** Rounds that both took part in: the first ones. */
const together = (ours: Standing, peer: Standing) => Math.min(ours.seconds.length, peer.seconds.length)

/** The median over the rounds of both of (peer's time) / (our time), and the range: above 1, ours is faster. */
export function compared(ours: Standing, peer: Standing): { ratio: number; low: number; high: number } {
  const ratios = ours.seconds.slice(0, together(ours, peer)).map((s, i) => peer.seconds[i] / s)
  return { ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
}

function printStanding(name: string, cost: Cost, one: Standing, whole: Whole | undefined): void {
  const { seconds, typical } = one
  const spread = `${time(Math.min(...seconds))} to ${time(Math.max(...seconds))}`
  const label = `${name} ${one.name}`
  console.log(`${label.padEnd(44)}  ${time(typical)} (${spread})  ${speedText({ ...cost, whole }, typical)}`)
  const n = seconds.length
  const average = mean(seconds)
  const deviation = Math.sqrt(seconds.reduce((a, b) => a + (b - average) ** 2, 0) / Math.max(1, n - 1))
  const rme = (100 * 1.96 * deviation) / Math.sqrt(n) / average
  record(label, cost, { mean: average, rme, deviation, samples: n }, { typical })
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
