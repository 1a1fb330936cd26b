/**
 * Training of a model of one's own: a loss that is captured once, an optimizer, and optionally a forward program. Each
 * `step` is one call into the device: forward, backward, clipping and update.
 */
import { toFloat } from '../autograd/functions.js'
import { Capture, type Tensor } from '../autograd/tensor.js'
import type { Device } from '../device/device.js'
import type { ParameterSet } from '../graph/parameters.js'
import { type InputData, type MemoryPlan, Runtime } from '../graph/runtime.js'
import { Evaluator, type Forward } from './evaluator.js'
import { initialValues } from './initialize.js'
import { LossScaler, type LossScaleState, type LossScaling, lossScaling, scaleScalars } from './loss_scale.js'
import {
  appendBackward,
  appendUpdate,
  corrections,
  DEFAULT_OPTIMIZER,
  type OptimizerSettings,
  optimizerInputs,
} from './optimizer.js'
import { queued } from './queue.js'

export interface TrainerOptions {
  readonly device: Device
  readonly parameters: ParameterSet
  /** Captures the loss, a tensor of one element, in training mode. Every parameter is declared before. */
  readonly loss: (capture: Capture) => Tensor
  /** Captures what `predict` computes. `evaluator` makes further programs. */
  readonly predict?: (capture: Capture) => Tensor
  /** What differs from ALBERT's LAMB, e.g. `{ name: 'adamw', biasCorrection: true }`. */
  readonly optimizer?: Partial<OptimizerSettings>
  /**
   * Dynamic loss scaling (loss_scale.ts), which a model with activations of f16 wants: true, or what differs from the usual
   * settings. Default: none.
   */
  readonly lossScaling?: boolean | Partial<LossScaling>
  /** Of the initial values and of dropout. Default 0. */
  readonly seed?: number
}

/** What came out of a step. */
export interface TrainerStep {
  /** Before the update. */
  readonly loss: number
  /** Norm of the gradient before clipping. Where it is not finite, the update was left out. */
  readonly gradNorm: number
  /** With loss scaling: what the loss was multiplied by. */
  readonly lossScale?: number
}

export class Trainer {
  /** Steps that were asked for. */
  private steps = 0
  /** That the step before is queued, and what came of the last two that were asked for: with loss scaling only. */
  private begun: Promise<unknown> = Promise.resolve()
  private outcomes: readonly [Promise<unknown>, Promise<unknown>] = [this.begun, this.begun]
  private readonly tables: Readonly<Record<string, Int32Array>>

  private constructor(
    readonly runtime: Runtime,
    private readonly settings: OptimizerSettings,
    private readonly seed: number,
    private readonly scaler?: LossScaler,
  ) {
    this.tables = optimizerInputs(runtime.parameters)
  }

  /** Captures, plans, allocates and initialises. Throws a UserError when memory does not suffice. */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { device, parameters, seed = 0 } = options
    const settings = { ...DEFAULT_OPTIMIZER, ...options.optimizer }
    const wanted = options.lossScaling === true ? {} : options.lossScaling
    const scaler = wanted ? new LossScaler(lossScaling(wanted)) : undefined
    const step = new Capture(parameters)
    const loss = options.loss(step)
    step.output('loss', loss)
    appendBackward(step, loss, scaler !== undefined)
    appendUpdate(step, settings, scaler !== undefined)
    const graphs = { step: step.graph }
    if (options.predict) {
      const predict = new Capture(parameters)
      predict.output('y', toFloat(options.predict(predict)))
      Object.assign(graphs, { predict: predict.graph })
    }
    const runtime = new Runtime(device, parameters, graphs)
    await runtime.writeState('parameters', initialValues(parameters, seed))
    return new Trainer(runtime, settings, seed, scaler)
  }

  /** How loss scaling stands, with nothing under way; undefined without it. */
  get lossScale(): LossScaleState | undefined {
    return this.scaler?.state()
  }

  /** Bytes that were allocated. */
  get memory(): MemoryPlan {
    return this.runtime.memory
  }

  /**
   * One step at learning rate `lr`. `scalars` sets run-time sizes. Returns the loss before the update and the norm of
   * the gradient before clipping; where that is not finite, the update was left out. A step may be asked for before the one
   * before is awaited, which keeps a GPU busy; its arrays must stay as they are until then. With loss scaling, rejects with a
   * UserError where the gradients are not finite at the smallest scale.
   */
  step(
    inputs: Readonly<Record<string, InputData>>,
    lr: number,
    scalars: Readonly<Record<string, number>> = {},
  ): Promise<TrainerStep> {
    const step = ++this.steps
    const run = async (update: Readonly<Record<string, number>>) => {
      const [[loss], [gradNorm]] = await queued(
        this.runtime.run(
          'step',
          { ...inputs, ...this.tables },
          { seed: this.seed, draw: step - 1, lr, ...update, ...scalars },
        ),
        () => [this.runtime.read('step', 'loss'), this.runtime.read('step', 'grad_norm')],
      )
      return { loss, gradNorm }
    }
    const { scaler } = this
    if (!scaler) return run(corrections(this.settings, step))
    // what came of the last step but one decides the scale, however many steps are asked for at once
    const ready = Promise.all([this.begun, this.outcomes[0]])
    const running = ready.then(() => {
      const { scale, skipped } = scaler.begin(step)
      const done = run({ ...corrections(this.settings, step - skipped), ...scaleScalars(scale) })
      return { done, scale }
    })
    const outcome = running.then(async ({ done, scale }) => {
      const found = await done
      scaler.report(step, scale, found.gradNorm)
      return { ...found, lossScale: scale }
    })
    // who asked for a step hears of its failure, those behind it go on
    this.begun = running.catch(() => undefined)
    this.outcomes = [this.outcomes[1], outcome.catch(() => undefined)]
    return outcome
  }

  /** The tensor that `predict` captured, at capacity; integers as floats. */
  async predict(
    inputs: Readonly<Record<string, InputData>>,
    scalars: Readonly<Record<string, number>> = {},
  ): Promise<Float32Array> {
    const [y] = await queued(
      this.runtime.run('predict', inputs, { seed: this.seed, draw: 0, ...scalars }),
      () => [this.runtime.read('predict', 'y')],
    )
    return y
  }

  /**
   * A program that runs the model forward on the parameters as they are at each run, in memory of its own beside them. It
   * may outlive the trainer. Await a step before a run, and a run before a step.
   */
  evaluator<Name extends string>(forward: Forward<Name>): Evaluator<Name> {
    return Evaluator.sharing(this.runtime, forward)
  }

  /** Frees the memory; the device stays open. */
  free(): void {
    this.runtime.free()
  }
}
