/**
 * Instances to ragged micro-batches: the instances of a step are packed in order, as many as fit the capacity of the
 * programs, and nothing is padded. Called by the pretraining loop and by held-out evaluation.
 */
import type { Instance } from '../../data/instances/stream.js'
import { UserError } from '../../error.js'
import type { PretrainingCapacity } from '../../model/pretraining.js'
import { AHEAD } from '../queue.js'

/** Inputs of the pretraining programs, views that stay as they are until the collator is used again. */
export interface MicroBatch {
  readonly inputs: Readonly<Record<string, Int32Array>>
  readonly rows: number
  readonly sequences: number
  readonly masked: number
}

/**
 * Capacity of micro-batches of about `rows` tokens out of steps of `batch` instances of at most `maxLength` pieces
 * with at most `maxPredictions` masked. Short instances fill a micro-batch by their number, not by their tokens.
 */
export function microBatchCapacity(
  rows: number,
  batch: number,
  maxLength: number,
  maxPredictions: number,
): PretrainingCapacity {
  const sequences = Math.min(batch, Math.max(1, Math.floor(rows / 16)))
  const expected = Math.ceil((maxPredictions * rows) / maxLength) + Math.ceil(sequences / 2)
  const masked = Math.min(sequences * maxPredictions, Math.max(maxPredictions, expected))
  return { rows, sequences, masked }
}

/** Cuts the instances of a step into micro-batches that fit. */
export function splitStep(instances: readonly Instance[], capacity: PretrainingCapacity): Instance[][] {
  const batches: Instance[][] = []
  let rows = Number.POSITIVE_INFINITY
  let masked = 0
  for (const instance of instances) {
    const n = instance.ids.length
    const k = instance.positions.length
    if (n > capacity.rows || k > capacity.masked)
      throw new UserError(
        `an instance of ${n} pieces, ${k} masked, does not fit ${capacity.rows} rows and ${capacity.masked} masked`,
      )
    const last = batches[batches.length - 1]
    if (rows + n > capacity.rows || masked + k > capacity.masked || last.length === capacity.sequences) {
      batches.push([instance])
      rows = n
      masked = k
    } else {
      last.push(instance)
      rows += n
      masked += k
    }
  }
  return batches
}

/** Masked pieces of all instances. */
export function maskedCount(instances: readonly Instance[]): number {
  return instances.reduce((sum, { positions }) => sum + positions.length, 0)
}

/** Buffers for one micro-batch, filled anew by every call. */
export class Collator {
  private readonly ids: Int32Array
  private readonly segments: Int32Array
  private readonly positions: Int32Array
  private readonly cuSeqlens: Int32Array
  private readonly maskedRows: Int32Array
  private readonly maskedLabels: Int32Array
  private readonly firstRows: Int32Array
  private readonly sopLabels: Int32Array

  constructor(capacity: PretrainingCapacity) {
    this.ids = new Int32Array(capacity.rows)
    this.segments = new Int32Array(capacity.rows)
    this.positions = new Int32Array(capacity.rows)
    this.cuSeqlens = new Int32Array(capacity.sequences + 1)
    this.maskedRows = new Int32Array(capacity.masked)
    this.maskedLabels = new Int32Array(capacity.masked)
    this.firstRows = new Int32Array(capacity.sequences)
    this.sopLabels = new Int32Array(capacity.sequences)
  }

  collate(instances: readonly Instance[]): MicroBatch {
    let rows = 0
    let masked = 0
    instances.forEach((instance, b) => {
      const n = instance.ids.length
      this.ids.set(instance.ids, rows)
      this.segments.fill(0, rows, rows + instance.splitAt)
      this.segments.fill(1, rows + instance.splitAt, rows + n)
      for (let i = 0; i < n; i++) this.positions[rows + i] = i
      instance.positions.forEach((position, i) => {
        this.maskedRows[masked + i] = rows + position
      })
      this.maskedLabels.set(instance.labels, masked)
      this.firstRows[b] = rows
      this.sopLabels[b] = instance.sop
      this.cuSeqlens[b] = rows
      rows += n
      masked += instance.positions.length
    })
    const sequences = instances.length
    this.cuSeqlens.fill(rows, sequences)
    return {
      inputs: {
        ids: this.ids.subarray(0, rows),
        segments: this.segments.subarray(0, rows),
        positions: this.positions.subarray(0, rows),
        cu_seqlens: this.cuSeqlens,
        masked_rows: this.maskedRows.subarray(0, masked),
        masked_labels: this.maskedLabels.subarray(0, masked),
        first_rows: this.firstRows.subarray(0, sequences),
        sop_labels: this.sopLabels.subarray(0, sequences),
      },
      rows,
      sequences,
      masked,
    }
  }
}

/** Collators that take turns: buffers of the last `AHEAD` micro-batches may still be on their way to the device. */
export class Collators {
  private readonly all: Collator[]
  private turn = 0

  constructor(capacity: PretrainingCapacity) {
    this.all = Array.from({ length: AHEAD + 1 }, () => new Collator(capacity))
  }

  /** Views that stay as they are until `AHEAD` further micro-batches were collated. */
  collate(instances: readonly Instance[]): MicroBatch {
    this.turn = (this.turn + 1) % this.all.length
    return this.all[this.turn].collate(instances)
  }
}
