/** What a fine-tuning run tells and leaves: its hooks, its result, its end by a person's hand. */
import { UserError } from '../../error.js'
import type { Scores } from '../../tasks/task.js'
import type { Step } from './loop.js'

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
  /** Waited for after every step, told after `onStep`: so a run is held. A step that is queued already runs to its end. */
  between?(step: number): Promise<void>
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
  /** Where the loss is scaled: steps that were left out, their gradients being not finite. */
  skipped_steps?: number
}

/** The end of a run that a person stopped; a checkpoint of that step is there, unless it is 0. */
export class Interruption extends UserError {
  override name = 'Interruption'
  constructor(
    out: string,
    readonly step: number,
  ) {
    super(
      step === 0
        ? 'interrupted before the first step; the same command with --resume starts it'
        : `interrupted after step ${step}; the same command with --resume goes on from the checkpoint in ${out}`,
    )
  }
}
