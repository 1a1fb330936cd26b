/**
 * Logits of examples with a model on a device: examples packed into ragged batches, sequences of like length together. Runs
 * the forward program `predict` of a runtime; the same weights, examples and rows give the same bits, whoever asks.
 */
import { Capture } from '../../autograd/tensor.js'
import { UserError } from '../../error.js'
import type { Graph } from '../../graph/graph.js'
import type { Runtime } from '../../graph/runtime.js'
import type { Example, Head, HeadCapacity, HeadModel } from '../../model/head.js'
import type { Precision } from '../../ops/shape.js'
import { capacityOf, collate, pack } from './batches.js'

/** The program that a predictor runs. */
export const PREDICT_PROGRAM = 'predict'

/** Captures the forward program. */
export function capturePrediction<Model extends HeadModel>(
  parameters: Runtime['parameters'],
  head: Head<Model>,
  model: Model,
  capacity: HeadCapacity,
  precision?: Precision,
): Graph {
  const capture = new Capture(parameters)
  head.capture(capture, model, capacity, { training: false, labelled: false, precision })
  return capture.graph
}

/** Most pieces of a batch of that program: one number for all, so that equal weights give equal bits. */
export function predictionRows(maxLength: number): number {
  return Math.max(2048, maxLength)
}

/** What the program of a model of that window length is captured for. */
export function predictionCapacity(maxLength: number): HeadCapacity {
  return capacityOf(predictionRows(maxLength), maxLength)
}

export class Predictor {
  constructor(
    private readonly runtime: Runtime,
    private readonly head: Head,
    private readonly maxLength: number,
  ) {}

  get parameters(): Runtime['parameters'] {
    return this.runtime.parameters
  }

  /** Frees what it has on the device. */
  free(): void {
    this.runtime.free()
  }

  /**
   * Logits of every example, [scored, K] each. `onExamples` hears after each batch how many more are done.
   * Throws a UserError where the model gives no numbers.
   */
  async logits(
    examples: readonly Example[],
    onExamples?: (examples: number) => void,
  ): Promise<Float32Array[]> {
    const logits: Float32Array[] = new Array(examples.length)
    const lengths = examples.map(({ ids }) => ids.length)
    // Sequences of like length in one batch divide evenly among threads.
    const order = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a] || a - b)
    const runs = pack(lengths, order, predictionRows(this.maxLength))
    const batchOf = (run: number[] | undefined) =>
      run &&
      collate(
        this.head,
        run.map((e) => examples[e]),
        this.maxLength,
        false,
      )
    let next = batchOf(runs[0])
    for (let r = 0; r < runs.length && next; r++) {
      const { inputs, scalars } = next
      const running = this.runtime.run(PREDICT_PROGRAM, inputs, { ...scalars, seed: 0, draw: 0 })
      next = batchOf(runs[r + 1])
      await running
      const found = await this.runtime.read(PREDICT_PROGRAM, 'logits', scalars.scored)
      if (!found.every(Number.isFinite))
        throw new UserError('the model gives no numbers: its weights are damaged')
      const outputs = found.length / scalars.scored
      let row = 0
      for (const e of runs[r]) {
        const rows = examples[e].scored.length
        logits[e] = found.slice(row * outputs, (row + rows) * outputs)
        row += rows
      }
      onExamples?.(runs[r].length)
    }
    return logits
  }
}
