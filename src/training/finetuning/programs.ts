/** The programs of fine-tuning over one set of parameters: two that train, one that predicts. They share one activation arena. */
import type { Graph } from '../../graph/graph.js'
import { ParameterSet } from '../../graph/parameters.js'
import type { ModelConfig } from '../../model/config.js'
import type { Head, HeadModel } from '../../model/head.js'
import type { Task } from '../../tasks/task.js'
import type { OptimizerSettings } from '../optimizer.js'
import { capacityOf } from './batches.js'
import { captureTraining, type ProgramOptions } from './loop.js'
import { capturePrediction, PREDICT_PROGRAM, predictionCapacity } from './predictor.js'

export interface ProgramSizes {
  /** Most pieces of a micro-batch in training. */
  readonly rows: number
  /** Most pieces of an example. */
  readonly maxLength: number
}

export function finetuningPrograms(
  parameters: ParameterSet,
  head: Head,
  model: HeadModel,
  { rows, maxLength }: ProgramSizes,
  optimizer: OptimizerSettings,
  { recompute, precision, scaled }: ProgramOptions,
): Readonly<Record<string, Graph>> {
  const capacity = capacityOf(rows, maxLength)
  const forward = predictionCapacity(maxLength)
  return {
    ...captureTraining(parameters, head, model, capacity, optimizer, { recompute, precision, scaled }),
    [PREDICT_PROGRAM]: capturePrediction(parameters, head, model, forward, precision),
  }
}

/** The same for a task whose data are not there: with the labels that it usually has. */
export function usualPrograms(
  task: Task,
  config: ModelConfig,
  sizes: ProgramSizes,
  optimizer: OptimizerSettings,
  options: ProgramOptions,
): { parameters: ParameterSet; graphs: Readonly<Record<string, Graph>> } {
  const parameters = new ParameterSet()
  const head = task.head(task.usualLabels, task.forms[0])
  const model = head.declare(parameters, config, task.usualLabels.length)
  return {
    parameters,
    graphs: finetuningPrograms(parameters, head, model, sizes, optimizer, options),
  }
}
