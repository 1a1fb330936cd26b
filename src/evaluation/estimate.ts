/**
 * How long the runs that are left will take: as long as runs of the same model on the same set took; else by the pieces a
 * second that this model had on other sets; else not less than the floor, which is their products at the device's measured peak.
 */

import { mean } from './blurb.js'
import type { Examined } from './finetune_runner.js'
import type { PlannedRun } from './plan.js'
import type { RunRecord } from './record.js'

export interface Estimate extends Examined {
  readonly set: string
  readonly model: string
  /** That have not ended. */
  readonly runs: number
  /** Of all of them; null where nothing is known. */
  readonly seconds: number | null
  readonly by: 'runs of the same' | 'tokens/s on other sets' | 'floor' | 'unknown'
}

/** Prediction computes no gradients, which are two thirds of training. */
const PREDICTION = 1 / 3

/** For each model and set of which runs are left. `gflops` is the device's peak for products of the wanted precision. */
export function estimates(
  left: readonly PlannedRun[],
  ended: readonly RunRecord[],
  examine: (run: PlannedRun) => Examined,
  gflops?: number,
): Estimate[] {
  const kinds = new Map<string, PlannedRun[]>()
  for (const run of left) {
    const key = `${run.set.name}\n${run.model.name}`
    kinds.set(key, [...(kinds.get(key) ?? []), run])
  }
  return [...kinds.values()].map((runs) => {
    const [{ set, model }] = runs
    const examined = examine(runs[0])
    const one = secondsOfOne(set.name, model.name, examined, ended, gflops)
    return {
      ...{ set: set.name, model: model.name, runs: runs.length, ...examined },
      seconds: one.seconds === null ? null : one.seconds * runs.length,
      by: one.by,
    }
  })
}

function secondsOfOne(
  set: string,
  model: string,
  { trainTokens, predictTokens, operations }: Examined,
  ended: readonly RunRecord[],
  gflops: number | undefined,
): Pick<Estimate, 'seconds' | 'by'> {
  const own = ended.filter((run) => run.model === model)
  const same = own.filter((run) => run.set === set)
  if (same.length > 0) return { seconds: mean(same.map(({ seconds }) => seconds)), by: 'runs of the same' }
  const rates = own.map((run) => run.tokens_per_second).filter((rate) => rate > 0)
  const tokens = trainTokens + PREDICTION * predictTokens
  if (rates.length > 0) return { seconds: tokens / mean(rates), by: 'tokens/s on other sets' }
  if (gflops !== undefined) return { seconds: operations / gflops / 1e9, by: 'floor' }
  return { seconds: null, by: 'unknown' }
}
