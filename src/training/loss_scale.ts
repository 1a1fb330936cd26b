/**
 * Dynamic loss scaling (Micikevicius et al. 2018, "Mixed precision training", section 3.2): f16 reaches no lower than 2^-24, so
 * the gradient that a backward pass starts from is multiplied by a scale, and what optimizers see is divided by it again. A step
 * whose gradients are not finite is left out and the scale halved; after `interval` good steps in a row it is doubled.
 *
 * A scale is a power of two and so rounds nothing: where nothing under- or overflows, no bit depends on it.
 *
 * A step that is left out counts: its instances have been seen, the schedule goes on, and `--total-steps` is the length of a run
 * whatever happens in it. Done again it would need its data a second time and the device idle until its norm is known; of the
 * age of the moments, by which bias correction goes, it is no part. Steps are queued one ahead (queue.ts), so the scale of a step
 * follows from those up to the last but one, always: a run that is resumed, with nothing queued, computes the same bits. Where a
 * step overflows the one behind it therefore most often does too; the scale is halved once for both.
 */
import { UsageError, UserError } from '../error.js'

export interface LossScaling {
  /** The first scale. */
  readonly start: number
  /** Good steps in a row after which the scale is doubled. */
  readonly interval: number
  /** Gradients that are not finite at this scale end the run. */
  readonly min: number
  readonly max: number
}

/** The usual ones: start and interval as PyTorch's GradScaler, the least as Megatron-LM, the most as Apex. */
export const DEFAULT_LOSS_SCALING: LossScaling = { start: 2 ** 16, interval: 2000, min: 1, max: 2 ** 24 }

/** Run-time scalars of programs whose loss is scaled: the gradient that a backward pass starts from, and 1 / that. */
export const GRADIENT_SCALE = 'gradient_scale'
export const GRADIENT_UNSCALE = 'gradient_unscale'

/** Values of the two. */
export function scaleScalars(scale: number): Readonly<Record<string, number>> {
  return { [GRADIENT_SCALE]: scale, [GRADIENT_UNSCALE]: 1 / scale }
}

/** Completes settings by the defaults. Throws a UsageError for those that cannot be. */
export function lossScaling(wanted: Partial<LossScaling> = {}): LossScaling {
  const { start, interval, min, max } = { ...DEFAULT_LOSS_SCALING, ...wanted }
  // the reciprocal, times what clips, is to be a normal number of f32
  for (const [name, value] of Object.entries({ start, min, max }))
    if (!(value >= 2 ** -100 && value <= 2 ** 100 && Number.isInteger(Math.log2(value))))
      throw new UsageError(`loss scaling: ${name} is ${value} (want a power of two from 2^-100 to 2^100)`)
  if (!(min <= start && start <= max))
    throw new UsageError(`loss scaling: start is ${start} (want one from min ${min} to max ${max})`)
  if (!(Number.isInteger(interval) && interval >= 1))
    throw new UsageError(`loss scaling: interval is ${interval} (want a whole number of 1 or more)`)
  return { start, interval, min, max }
}

/** How loss scaling stands after a step, as checkpoints keep it. */
export interface LossScaleState {
  /** The scale after all steps but the last. */
  readonly scale: number
  /** Good steps since the scale changed or a step was left out, without the last. */
  readonly good: number
  /** Steps that were left out, without the last. */
  readonly skipped: number
  /** The last step, which the scale of the next does not depend on yet. */
  readonly last?: Outcome
}

/** The state in which a new run begins that goes on from another one: the same scale, steps and what was left out from 0. */
export function atStart({ scale, good, last }: LossScaleState): LossScaleState {
  return { scale, good, skipped: 0, ...(last && { last: { ...last, step: 0 } }) }
}

interface Outcome {
  readonly step: number
  readonly scale: number
  readonly finite: boolean
}

/** What a step is run with. */
export interface StepScale {
  readonly scale: number
  /** Steps that were left out, as far as this one may know. */
  readonly skipped: number
}

export class LossScaler {
  private scale: number
  private good = 0
  private left = 0
  /** Steps that are done and that the scale does not know of, oldest first: two at most. */
  private readonly pending: Outcome[] = []

  constructor(
    private readonly settings: LossScaling,
    state?: LossScaleState,
  ) {
    this.scale = settings.start
    if (!state) return
    this.scale = state.scale
    this.good = state.good
    this.left = state.skipped
    if (state.last) this.pending.push(state.last)
  }

  /** Steps that were left out so far. */
  get skipped(): number {
    return this.left + this.pending.filter(({ finite }) => !finite).length
  }

  /** What step number `step` (from 1, in order) is run with; all steps up to the last but one have been reported. */
  begin(step: number): StepScale {
    this.takeUpTo(step - 2)
    return { scale: this.scale, skipped: this.left }
  }

  /**
   * Tells how a step ended: with a norm of the gradients that is finite or, at that scale, is not. True where the step was left
   * out. Throws a UserError, with `advice` at its end, where there is no smaller scale.
   */
  report(step: number, scale: number, gradNorm: number, advice: () => string = () => ''): boolean {
    const finite = Number.isFinite(gradNorm)
    if (!finite && scale <= this.settings.min)
      throw new UserError(
        `step ${step}: the norm of the gradients is ${gradNorm} at the smallest loss scale, ${scale}: ` +
          `the run diverges${advice()}`,
      )
    this.pending.push({ step, scale, finite })
    return !finite
  }

  /** With nothing under way: all steps that were begun have been reported. */
  state(): LossScaleState {
    const last = this.pending.at(-1)
    if (last) this.takeUpTo(last.step - 1)
    return { scale: this.scale, good: this.good, skipped: this.left, ...(last && { last }) }
  }

  private takeUpTo(step: number): void {
    while (this.pending.length > 0 && this.pending[0].step <= step) this.take(this.pending.shift()!)
  }

  private take({ scale, finite }: Outcome): void {
    const { interval, min, max } = this.settings
    if (!finite) {
      this.left++
      this.good = 0
      // once for all steps that were queued with that scale
      this.scale = Math.min(this.scale, Math.max(scale / 2, min))
    } else if (++this.good === interval) {
      this.good = 0
      this.scale = Math.min(2 * this.scale, max)
    }
  }
}
