/**
 * Ours against a peer, fairly: one call of each in turn, the order reversed every other round, so that both see the same
 * machine. Prints the median of each, and the median of the ratios of the rounds with its range.
 */
import { type Cost, time } from './bench.js'
import { record } from './record.js'

export interface Contestant {
  name: string
  /** One unit of work; resolves when it is done. May resolve to the seconds it took, measured nearer to the work. */
  run: () => Promise<unknown>
}

export interface Comparison {
  /** Median seconds of each contestant, in their order. */
  medians: number[]
  /** Median over rounds of (second's time) / (first's time): above 1, the first is faster. */
  ratio: number
}

/** Runs both contestants `rounds` times in turn, after `warmup` rounds that do not count. */
export async function alternate(
  name: string,
  cost: Cost,
  contestants: [ours: Contestant, peer: Contestant],
  { rounds = 11, warmup = 2 }: { rounds?: number; warmup?: number } = {},
): Promise<Comparison> {
  const seconds: number[][] = [[], []]
  for (let round = -warmup; round < rounds; round++) {
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const start = performance.now()
      const own = await contestants[i].run()
      const took = typeof own === 'number' ? own : (performance.now() - start) / 1000
      if (round >= 0) seconds[i].push(took)
    }
  }
  const medians = seconds.map(median)
  const ratios = seconds[0].map((ours, i) => seconds[1][i] / ours)
  const ratio = median(ratios)
  for (const [i, { name: who }] of contestants.entries()) {
    const spread = `${time(Math.min(...seconds[i]))} to ${time(Math.max(...seconds[i]))}`
    const speeds = [
      ...(cost.flops === undefined ? [] : [`${(cost.flops / medians[i] / 1e9).toFixed(1)} GFLOP/s`]),
      ...Object.entries(cost.units ?? {}).map(([unit, n]) => `${(n / medians[i]).toFixed(0)} ${unit}/s`),
    ]
    console.log(`${`${name} ${who}`.padEnd(34)}  ${time(medians[i])} (${spread})  ${speeds.join('  ')}`)
    const mean = seconds[i].reduce((a, b) => a + b, 0) / rounds
    const deviation = Math.sqrt(seconds[i].reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, rounds - 1))
    const rme = (100 * 1.96 * deviation) / Math.sqrt(rounds) / mean
    record(`${name} ${who}`, cost, { mean, rme, deviation, samples: rounds }, { median: medians[i] })
  }
  const [ours, peer] = contestants.map((one) => one.name)
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  console.log(`${name.padEnd(34)}  ${ours} is ${ratio.toFixed(2)} times as fast as ${peer} (${range})`)
  return { medians, ratio }
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
