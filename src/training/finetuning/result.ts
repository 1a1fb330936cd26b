/** What a fine-tuning run tells and leaves: its hooks, its result in scores.json, its end by a person's hand. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError, UserError } from '../../error.js'
import type { Scores } from '../../tasks/task.js'
import { listCheckpoints } from '../checkpoint.js'
import type { Step } from './loop.js'

/** The last file that a run writes. */
export const SCORES_FILE = 'scores.json'
/** Tallies of the units of dev and test. */
export const UNITS_FILE = 'units.json'

export interface DevEvaluation {
  readonly step: number
  readonly dev: Scores
  /** The best so far, and better than nothing. */
  readonly best: boolean
}

/** What a run tells while it goes on. */
export interface FinetuneHooks {
  /** Before the first step: updates made already, native bytes of the run. */
  onStart?(step: number, bytes: number): void
  onStep?(step: Step, tokensPerSecond: number): void
  onEvaluation?(evaluation: DevEvaluation): void
  /** While dev or test is answered: examples done, of so many. */
  onScoring?(done: number, examples: number): void
  /** Training on train and dev begins, with so many steps. */
  onRetrain?(steps: number): void
  /** Whether the person wants to stop; asked after every step and every batch of a scoring. */
  interrupted?(): boolean
}

/** The names that scripts rely on. */
export interface FinetuneResult {
  task: string
  /** The score that `best_step` was chosen by. */
  metric: string
  best_step: number
  steps: number
  /** What is wrong with the last evaluation, such as no entity found: training went wrong. */
  collapsed: string | null
  dev: Scores
  test: Scores
  labels: readonly string[]
  form: string
  /** What the task says of the data. */
  facts: Readonly<Record<string, unknown>>
  out: string
  seconds: number
  tokens_per_second: number
}

/** The end of a run that a person stopped; a checkpoint of that step is there. */
export class Interruption extends UserError {
  override name = 'Interruption'
  constructor(
    out: string,
    readonly step: number,
  ) {
    super(
      `interrupted after step ${step}; the same command with --resume goes on from the checkpoint in ${out}`,
    )
  }
}

/** Refuses an output folder with anything in it, unless a run there is to be resumed. */
export function refuseOut(out: string, resume: boolean): void {
  if (!existsSync(out)) return
  let names: string[]
  try {
    names = readdirSync(out)
  } catch {
    throw new UsageError(`${out}: is a file, want a folder`)
  }
  if (names.length === 0 || resume) return
  const stopped = listCheckpoints(out).length > 0 ? ', or go on with it by --resume' : ''
  throw new UsageError(`${out}: is there already and not empty; remove it or name another${stopped}`)
}

/** The result of a run that has ended in that folder. */
export function finished(out: string): FinetuneResult | undefined {
  const file = join(out, SCORES_FILE)
  if (!existsSync(file)) return undefined
  // what the key was called before it had no spaces
  const text = readFileSync(file, 'utf8').replaceAll('"paper style (inferred)"', '"paper_style"')
  return JSON.parse(text) as FinetuneResult
}
