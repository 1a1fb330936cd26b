/**
 * Where a fine-tuning run keeps what it makes while it goes on: a folder (out_folder_node.ts), or memory alone where there are
 * no folders.
 */
import type { ParameterSet } from '../../graph/parameters.js'
import type { ModelToSave } from '../../model/pretrained.js'
import type { TaskCore } from '../../tasks/task.js'
import type { CheckpointToSave } from '../checkpoint.js'
import type { TaskRecord } from './model.js'

/** The best model so far. */
export interface ModelToKeep {
  readonly task: TaskCore
  readonly record: TaskRecord
  readonly model: ModelToSave
}

export interface RunKeeper {
  /** What people know it by. */
  readonly name: string
  /** One line of the run's log. */
  log(line: { readonly step: number } & Readonly<Record<string, unknown>>): void
  /** Takes the place of the model that was kept before. */
  keepModel(model: ModelToKeep): Promise<void>
  /** Fills an arena with the weights of the model that is kept. */
  readWeights(parameters: ParameterSet, data: Float32Array): void
  /** Keeps that from which the run can be taken up again; a keeper without it cannot. */
  checkpoint?(checkpoint: CheckpointToSave): Promise<void>
  writePredictions(name: string, file: { readonly extension: string; readonly text: string }): void
}

/** Keeps the best model, and nothing else. */
export class MemoryKeeper implements RunKeeper {
  readonly name = 'memory'
  kept?: ModelToKeep

  log(): void {}

  async keepModel(model: ModelToKeep): Promise<void> {
    this.kept = model
  }

  readWeights(_: ParameterSet, data: Float32Array): void {
    if (this.kept === undefined) throw new Error('no weights have been kept yet')
    data.set(this.kept.model.data)
  }

  writePredictions(): void {}
}
