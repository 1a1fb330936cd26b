/**
 * Evaluations without training: sets and models that are names, and a runner that writes what a run leaves. A unit's tally is
 * [right, all] or [correct, predicted, gold]; the scores are worked out here by plain sums.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchmarkModel } from '../../src/evaluation/models.js'
import type { BenchmarkSet, PlannedRun } from '../../src/evaluation/plan.js'
import type { RunHooks, Runner } from '../../src/evaluation/run.js'
import { preset } from '../../src/model/config.js'
import { dataSet } from '../../src/tasks/datasets.js'
import type { Tally } from '../../src/tasks/task.js'

export function toyModel(name: string, digest = name): BenchmarkModel {
  const config = preset('nano', 100)
  return { name, dir: `/models/${name}`, parameters: 10, start: { model: name }, digest, config }
}

export function toySet(name: string, metric = 'accuracy'): BenchmarkSet {
  const known = dataSet(name)
  return {
    ...{ name, task: known.task, metric, unit: known.unit, train: 8, dev: 2, test: 4, known },
    ...{ form: 'usual', folder: `/data/${name}` },
    ...(known.folds !== undefined && { folds: known.folds }),
    ...(known.small !== undefined && { note: known.small }),
  }
}

/** Share of right ones. */
export function accuracyOf(units: readonly Tally[]): number {
  let right = 0
  let all = 0
  for (const [a, b] of units) {
    right += a
    all += b
  }
  return right / all
}

/** What a run of a test part with these units leaves in its folder; `test` are further scores. */
export function writeRun(out: string, units: readonly Tally[], test: Record<string, unknown> = {}): void {
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'units.json'), JSON.stringify({ metric: 'accuracy', dev: units, test: units }))
  const scores = { accuracy: accuracyOf(units), ...test }
  const times = { seconds: 2, tokens_per_second: 100, best_step: 3, steps: 4, collapsed: null }
  const json = { task: 'toy', metric: 'accuracy', dev: scores, test: scores, ...times }
  writeFileSync(join(out, 'scores.json'), JSON.stringify(json))
}

/** Stops by itself in the way of a person's interruption. */
export class ToyInterruption extends Error {}

/** Runs leave `unitsOf`; `before` may throw. What has been asked for is in `ran`. */
export class ToyRunner implements Runner {
  readonly ran: string[] = []
  constructor(
    private readonly unitsOf: (run: PlannedRun) => readonly Tally[],
    private readonly before: (run: PlannedRun, nth: number) => void = () => {},
  ) {}

  async run(run: PlannedRun, out: string, hooks: RunHooks): Promise<void> {
    this.ran.push(run.dir)
    hooks.onStart?.(4, 0)
    this.before(run, this.ran.length)
    writeRun(out, this.unitsOf(run))
  }

  isInterruption(error: unknown): boolean {
    return error instanceof ToyInterruption
  }
}
