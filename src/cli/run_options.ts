/** Options of a fine-tuning run, which `finetune` and every run of `benchmark` have alike. */
import type { Command } from 'commander'
import { tasks } from '../tasks/index.js'
import { DEFAULT_CLIP, DEFAULT_WEIGHT_DECAY } from '../training/finetuning/setup.js'
import {
  integerWithin,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  probability,
} from './options.js'

export interface RunOptions {
  settings?: string
  epochs?: number
  totalSteps?: number
  batch?: number
  learningRate?: number
  warmup?: number
  weightDecay: number
  clip: number
  biasCorrection?: boolean
  maxLength?: number
  evalEvery?: number
  dropout?: number
  rows?: number
  recompute: boolean
  retrain: boolean
}

/** Adds them, and returns the command. */
export function addRunOptions(command: Command): Command {
  const settings = [...new Set(tasks.flatMap(({ settings }) => Object.keys(settings)))].join(', ')
  return command
    .option('--settings <name>', `settings that someone published: ${settings}; options go before them`)
    .option('--epochs <n>', 'passes over the training part (default: mini 5, nano 10)', positiveInteger)
    .option('--total-steps <n>', 'steps, in place of --epochs (default: by model size)', positiveInteger)
    .option('--batch <n>', 'examples (sentences, pairs, windows) of a step (default: 32)', positiveInteger)
    .option(
      '--learning-rate <r>',
      'peak rate (default: 1e-5, mini 2e-4 and 5e-5 for classes of sequences, nano 1e-3)',
      positiveNumber,
    )
    .option('--warmup <n>', 'steps of warm-up (default: 320, at most a tenth)', nonNegativeInteger)
    .option('--weight-decay <d>', "AdamW's decay", nonNegativeNumber, DEFAULT_WEIGHT_DECAY)
    .option('--clip <norm>', 'largest gradient norm, 0: any', nonNegativeNumber, DEFAULT_CLIP)
    .option('--bias-correction', 'divide the moments by 1 - beta^t, as the usual AdamW does')
    .option(
      '--max-length <n>',
      "most pieces of an example (default: the task's, or what the model has)",
      integerWithin(3, 65535),
    )
    .option('--eval-every <n>', 'steps between scorings of dev (default: 200 or a tenth)', positiveInteger)
    .option('--dropout <p>', "dropout in the encoder (default: the model's, mini 0.1)", probability)
    .option('--rows <n>', 'most pieces of a micro-batch (default: 2048)', positiveInteger)
    .option('--recompute', 'compute activations again instead of keeping them: slower, less memory', false)
    .option('--retrain', 'after choosing on dev train again, on train and dev together', false)
}
