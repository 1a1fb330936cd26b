/**
 * Units of several runs of one model on one set, laid side by side for the bootstrap. Runs on the same test part share its units;
 * folds, and seeds that held out a test part each, are blocks of units one after another, and a run counts nothing outside
 * its own block:
 *
 *   rows [runs][units of all blocks]: the run's tallies in its block, zeros elsewhere
 *
 * so that the mean over rows of the rate of a row's sum is the mean over runs, and two models are resampled by the same units.
 */
import type { Tally } from '../tasks/task.js'

/** What is pooled of a run. */
export interface PooledRun {
  readonly seed: number
  readonly fold?: number
  readonly units: readonly Tally[]
}

/** A test part: its key and how many units it has. */
export type Blocks = ReadonlyMap<string, number>

/** Which block a run is of; `heldOut` where every seed has a test part of its own. */
function blockOf({ seed, fold = 0 }: PooledRun, heldOut: boolean): string {
  return heldOut ? `${seed}/${fold}` : `${fold}`
}

/** Whether runs of one fold can have been scored on the same test part. */
export function shareUnits(runs: readonly PooledRun[]): boolean {
  const lengths = new Map<string, number>()
  for (const run of runs) {
    const block = blockOf(run, false)
    const length = lengths.get(block) ?? run.units.length
    if (length !== run.units.length) return false
    lengths.set(block, length)
  }
  return true
}

/** The blocks that all of the models have. */
export function commonBlocks(models: readonly (readonly PooledRun[])[], heldOut: boolean): Blocks {
  const [first, ...others] = models.map(
    (runs) => new Map(runs.map((run) => [blockOf(run, heldOut), run.units.length])),
  )
  const isCommon = ([block, length]: [string, number]) => others.every((other) => other.get(block) === length)
  return new Map([...first].filter(isCommon).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The runs of these blocks as rows. */
export function poolRuns(runs: readonly PooledRun[], blocks: Blocks, heldOut: boolean): Tally[][] {
  const inside = runs.filter((run) => blocks.has(blockOf(run, heldOut)))
  const nothing = (inside[0]?.units[0] ?? []).map(() => 0)
  return inside.map((run) =>
    [...blocks].flatMap(([block, length]) =>
      block === blockOf(run, heldOut) ? run.units : Array.from({ length }, () => nothing),
    ),
  )
}
