/**
 * The Runner that trains: each run is a fine-tuning run like those of `finetune`, on a device of its own, so that its memory is
 * free when the next one begins. It also tells beforehand how long and how large a run will be.
 */
import type { DeviceChoice } from '../device/device.js'
import { openDevice } from '../device/open.js'
import { compile, memoryPlan } from '../graph/runtime.js'
import type { ModelConfig } from '../model/config.js'
import type { Example } from '../model/head.js'
import { listCheckpoints } from '../training/checkpoint.js'
import { finetune } from '../training/finetuning/finetune.js'
import { Interruption } from '../training/finetuning/result.js'
import { programsOf } from '../training/finetuning/session.js'
import type { FinetuneOptions, FinetuneRun } from '../training/finetuning/setup.js'
import { setUpFinetuning } from '../training/finetuning/setup_node.js'
import type { PlannedRun, TaskLookup } from './plan.js'
import type { RunHooks, Runner } from './run.js'

/** Options that all runs share. */
export type RunSettings = Omit<
  FinetuneOptions,
  'data' | 'form' | 'fold' | 'model' | 'tokenizer' | 'preset' | 'seed' | 'continueFrom' | 'resumeFrom'
>

/** What can be known of a run before it starts. */
export interface Examined {
  readonly steps: number
  /** Pieces that are trained on, and that are predicted on at evaluations. */
  readonly trainTokens: number
  readonly predictTokens: number
  /** Operations of products, of the whole run. */
  readonly operations: number
  /** Native bytes without the device's own. */
  readonly bytes: number
}

export class FinetuneRunner implements Runner {
  constructor(
    private readonly taskNamed: TaskLookup,
    private readonly settings: RunSettings,
    private readonly device: DeviceChoice,
    private readonly threads?: number,
  ) {}

  isInterruption(error: unknown): boolean {
    return error instanceof Interruption
  }

  async run(planned: PlannedRun, out: string, hooks: RunHooks): Promise<void> {
    const run = this.setUp(planned, listCheckpoints(out).at(-1)?.dir)
    const device = await openDevice(this.device, { threads: this.threads })
    try {
      await finetune(run, device, out, true, {
        onStart: (step) => hooks.onStart?.(run.schedule.total, step),
        onStep: ({ step }, rate) => hooks.onStep?.(step, rate),
        interrupted: () => hooks.interrupted?.() === true,
      })
    } finally {
      await device.destroy()
    }
  }

  /** Throws a UserError where such a run cannot be. */
  examine(planned: PlannedRun): Examined {
    return examined(this.setUp(planned))
  }

  private setUp({ set, model, seed, fold }: PlannedRun, resumeFrom?: string): FinetuneRun {
    const { folder: data, form } = set
    const options = { ...this.settings, ...model.start, data, form, fold, seed, resumeFrom }
    return setUpFinetuning(this.taskNamed(set.task), options)
  }
}

function examined(run: FinetuneRun): Examined {
  const { train, dev, test, schedule, perEpoch, evalEvery } = run
  const evaluations = Math.ceil(schedule.total / evalEvery) + 1
  const trained = measure(train.examples, run.config)
  const [onDev, onTest] = [dev, test].map(({ examples }) => measure(examples, run.config))
  const epochs = schedule.total / perEpoch
  return {
    steps: schedule.total,
    trainTokens: Math.round(epochs * trained.tokens),
    predictTokens: evaluations * onDev.tokens + onTest.tokens,
    // gradients of a product are two more of its size
    operations: 3 * epochs * trained.operations + evaluations * onDev.operations + onTest.operations,
    bytes: memoryPlan(run.parameters, compile(programsOf(run)).values()).totalBytes,
  }
}

/** Pieces, and the operations of the encoder's products over them, forward: 2 L n (4 H^2 + 2 H I + 2 n H) for n pieces. */
function measure(examples: readonly Example[], config: ModelConfig): { tokens: number; operations: number } {
  const { hiddenSize: h, intermediateSize: i, layers } = config
  let tokens = 0
  let operations = 0
  for (const { ids } of examples) {
    const n = ids.length
    tokens += n
    operations += 2 * layers * n * (4 * h * h + 2 * h * i + 2 * n * h)
  }
  return { tokens, operations }
}
