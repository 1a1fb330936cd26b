/**
 * One pretraining step of a named shape on a device: random ids, the masked positions of the shape, LAMB. Weights are
 * initialised as for training, so that the first loss must be near ln V + ln 2. Runs in Node and in a page.
 */
import { Capture } from '../../src/autograd/tensor.js'
import type { Device, TimelineEvent } from '../../src/device/device.js'
import { SQUARES, totalWork } from '../../src/device/program.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import { checkConfig, type ModelConfig } from '../../src/model/config.js'
import { declarePretraining, pretrainingLoss } from '../../src/model/pretraining.js'
import { appendUpdate, DEFAULT_OPTIMIZER, optimizerInputs } from '../../src/training/optimizer.js'
import { random } from '../../test/support/random.js'
import type { StepShape } from '../shapes.js'
import type { TrainingPrecision } from './precisions.js'

export interface PretrainingStep {
  readonly runtime: Runtime
  /** Operations of one step that count: products of forward and backward, nothing recomputed. */
  readonly flops: number
  /** One step: forward, backward, update. */
  run(): Promise<void>
  timeline(): Promise<TimelineEvent[]>
  /** Loss of the last step. */
  loss(): Promise<number>
  /** Loss of the weights as they are now, without dropout. */
  evaluate(): Promise<number>
  readonly config: ModelConfig
  readonly parameters: ParameterSet
  /** The weights as they were first, in their arena; made anew for each call. */
  initial(): Float32Array
  /** What every step is given. */
  readonly batch: Readonly<Record<string, Int32Array>>
  free(): void
}

/** A model, its first weights and a batch, on no device yet. */
export function pretrainingModel(shape: StepShape, dropout: number) {
  const { B, S, N, masked } = shape
  const config = checkConfig({
    modelType: 'albert',
    vocabularySize: shape.V,
    embeddingSize: shape.E,
    hiddenSize: shape.H,
    layers: shape.L,
    heads: shape.A,
    intermediateSize: shape.I,
    maxPositions: 512,
    segmentTypes: 2,
    gelu: 'tanh',
    dropout,
    classifierDropout: 0.1,
    layerNormEps: 1e-12,
    initializerRange: 0.02,
  })
  const parameters = new ParameterSet()
  const model = declarePretraining(parameters, config)
  // made anew where it is wanted again, so that nothing keeps it
  const initial = () =>
    parameters.initialize((name) => {
      const draw = random([...name].reduce((h, c) => (h * 31 + c.charCodeAt(0)) >>> 0, 7))
      return () => draw.normal()
    })
  const draw = random(1)
  const batch: Record<string, Int32Array> = {
    ids: draw.integers(N, 5, shape.V),
    segments: Int32Array.from({ length: N }, (_, n) => (n % S < S / 2 ? 0 : 1)),
    positions: Int32Array.from({ length: N }, (_, n) => n % S),
    cu_seqlens: Int32Array.from({ length: B + 1 }, (_, b) => b * S),
    masked_rows: Int32Array.from({ length: masked }, (_, m) => {
      const each = masked / B
      return Math.floor(m / each) * S + Math.floor(((m % each) * S) / each)
    }),
    masked_labels: draw.integers(masked, 5, shape.V),
    first_rows: Int32Array.from({ length: B }, (_, b) => b * S),
    sop_labels: draw.integers(B, 0, 2),
  }
  return { config, parameters, model, initial, batch }
}

export async function pretrainingStep(
  device: Device,
  shape: StepShape,
  options: { dropout: number; recompute?: boolean; precision?: TrainingPrecision },
): Promise<PretrainingStep> {
  const { B, S, N, masked } = shape
  const { config, parameters: set, model, initial, batch } = pretrainingModel(shape, options.dropout)
  const capacity = { rows: N, sequences: B, masked }
  const { recompute, precision } = options
  const capture = new Capture(set)
  capture.backward(pretrainingLoss(capture, model, capacity, { training: true, recompute, precision }))
  appendUpdate(capture, DEFAULT_OPTIMIZER)
  const evaluation = new Capture(set)
  pretrainingLoss(evaluation, model, capacity, { training: false, precision })
  const runtime = new Runtime(device, set, { step: capture.graph, evaluate: evaluation.graph })
  await runtime.writeState('parameters', initial())
  const inputs: Record<string, InputData> = { ...optimizerInputs(set), ...batch }
  let step = 0
  const scalars = () => ({
    rows: N,
    sequences: B,
    masked,
    mlm_scale: 1 / (masked + 1e-5),
    sop_scale: 1 / B,
    seed: 1,
    draw: step++,
    lr: 1e-4,
    correction1: 1,
    correction2: 1,
  })
  const sizes = { rows: N, sequences: B, masked, [SQUARES]: B * S * S }
  return {
    runtime,
    flops: totalWork(runtime.program('step').program, sizes).modelFlops,
    run: () => runtime.run('step', inputs, scalars()),
    timeline: () => runtime.timeline('step', inputs, scalars()),
    loss: async () => (await runtime.read('step', 'loss'))[0],
    async evaluate() {
      await runtime.run('evaluate', batch, scalars())
      return (await runtime.read('evaluate', 'loss'))[0]
    },
    config,
    parameters: set,
    initial,
    batch,
    free: () => runtime.free(),
  }
}

/** Throws unless somebody's first loss is ours. */
export function agreeOnFirst(who: string, loss: unknown, want: number, tolerance: number): void {
  if (!(typeof loss === 'number' && Math.abs(loss / want - 1) <= tolerance))
    throw new Error(`${who}: the first loss is ${loss} (want ${want}, up to ${tolerance} of it)`)
}

/**
 * A model that has not learnt yet guesses words and order: the loss is ln V + ln 2, and a little more for its noise.
 * All train on one batch again and again, which they come to know: from there it may only fall.
 */
export function checkLoss(who: string, loss: number, { V }: StepShape): void {
  const want = Math.log(V) + Math.log(2)
  if (!(loss > 0 && loss < want + 0.4)) throw new Error(`${who}: the loss is ${loss} (want about ${want})`)
}

export function checkFirst(who: string, loss: number, shape: StepShape): void {
  checkLoss(who, loss, shape)
  if (!(loss > Math.log(shape.V) - 0.4)) throw new Error(`${who}: the first loss is ${loss}`)
}
