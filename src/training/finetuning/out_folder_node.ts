/** The folder of a fine-tuning run: log.jsonl, the best model, checkpoints, predictions. */
import { join } from 'node:path'
import { writeFileAtomic } from '../../files.js'
import type { ParameterSet } from '../../graph/parameters.js'
import { openModel, saveModel } from '../../model/folder.js'
import { readArena } from '../../model/weights.js'
import { type CheckpointToSave, pruneCheckpoints, saveCheckpoint } from '../checkpoint.js'
import { TrainingLog } from '../log.js'
import type { ModelToKeep, RunKeeper } from './keeper.js'
import { writeTask } from './model_node.js'

export class OutFolder implements RunKeeper {
  private readonly lines: TrainingLog

  /** `step` is where a run that is taken up again goes on, or 0. */
  constructor(
    readonly name: string,
    step: number,
  ) {
    this.lines = new TrainingLog(name, step)
  }

  log(line: Parameters<RunKeeper['log']>[0]): void {
    this.lines.write(line)
  }

  async keepModel({ task, record, model }: ModelToKeep): Promise<void> {
    writeTask(this.name, task, record)
    await saveModel(this.name, model)
  }

  readWeights(parameters: ParameterSet, data: Float32Array): void {
    readArena(openModel(this.name).weights, parameters, data)
  }

  async checkpoint(checkpoint: CheckpointToSave): Promise<void> {
    this.lines.sync()
    await saveCheckpoint(this.name, checkpoint)
    pruneCheckpoints(this.name, 1)
  }

  writePredictions(name: string, { extension, text }: Parameters<RunKeeper['writePredictions']>[1]): void {
    writeFileAtomic(join(this.name, `${name}_predictions.${extension}`), text)
  }
}
