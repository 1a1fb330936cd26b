/** `finetune`: trains a task on a pretrained or random model, keeps the best dev checkpoint and scores test. */
import { Argument, Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { PRESETS } from '../../model/config.js'
import type { TagScheme } from '../../tasks/entities/tag_scheme.js'
import { paperStyle } from '../../tasks/metrics/ner.js'
import { listCheckpoints } from '../../training/checkpoint.js'
import {
  finetuneNer,
  finishedNer,
  Interruption,
  type NerResult,
  refuseOut,
} from '../../training/finetuning/finetune.js'
import type { NerSummary } from '../../training/finetuning/model.js'
import { type NerRun, setUpNer } from '../../training/finetuning/setup.js'
import { warnOfUnknownMemory } from '../model_options.js'
import {
  addShared,
  integerWithin,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  probability,
  type SharedOptions,
} from '../options.js'
import { bytes, count, duration, note, printResult, table, warn } from '../output.js'
import { type Progress, progress } from '../progress.js'

const TASKS = ['ner'] as const

interface Options extends SharedOptions {
  data: string
  model?: string
  tokenizer?: string
  continueFrom?: string
  preset?: string
  out: string
  epochs?: number
  totalSteps?: number
  batch: number
  learningRate?: number
  warmup?: number
  weightDecay: number
  clip: number
  biasCorrection: boolean
  maxLength?: number
  evalEvery?: number
  dropout?: number
  rows?: number
  recompute: boolean
  resume: boolean
}

export function finetuneCommand(): Command {
  const command = new Command('finetune')
    .description(
      'Trains a task on a pretrained model (or on random weights), scores dev every so often, keeps the best ' +
        'weights in OUT and scores test with them. Tasks: ner (train.tsv, devel.tsv or dev.tsv, test.tsv).',
    )
    .addArgument(new Argument('<task>', 'what to train').choices(TASKS))
    .requiredOption('--data <dir>', 'folder of the data set')
    .option('--model <dir>', 'model folder to start from; its pretraining heads have no part')
    .option('--tokenizer <dir>', 'instead of --model: vocabulary folder for random weights')
    .option(
      '--continue-from <dir>',
      'instead of both: a checkpoint (or the folder of a run) whose weights and moments a new run goes on from, with ' +
        'a schedule and steps of its own',
    )
    .option('--preset <name>', `sizes of random weights: ${PRESETS.join(', ')}`)
    .requiredOption('--out <dir>', 'folder to make: model, log, predictions, scores')
    .option('--epochs <n>', 'passes over the training file (default: mini 5, nano 10)', positiveInteger)
    .option('--total-steps <n>', 'steps, in place of --epochs (default: by model size)', positiveInteger)
    .option('--batch <n>', 'windows (sentences) of a step', positiveInteger, 32)
    .option('--learning-rate <r>', 'peak rate (default: 1e-5, mini 2e-4, nano 1e-3)', positiveNumber)
    .option('--warmup <n>', 'steps of warm-up (default: 320, at most a tenth)', nonNegativeInteger)
    .option('--weight-decay <d>', "AdamW's decay", nonNegativeNumber, 0.01)
    .option('--clip <norm>', 'largest gradient norm, 0: any', nonNegativeNumber, 1)
    .option('--bias-correction', 'divide the moments by 1 - beta^t, as the usual AdamW does', false)
    .option(
      '--max-length <n>',
      'most pieces of a window (default: 512 or what the model has)',
      integerWithin(3, 65535),
    )
    .option('--eval-every <n>', 'steps between scorings of dev (default: 200 or a tenth)', positiveInteger)
    .option('--dropout <p>', "dropout in the encoder (default: the model's, mini 0.1)", probability)
    .option('--rows <n>', 'most pieces of a micro-batch (default: 2048)', positiveInteger)
    .option('--recompute', 'compute activations again instead of keeping them: slower, less memory', false)
    .option('--resume', 'go on with the run in OUT; a checkpoint there holds vocabulary and sizes', false)
  return addShared(command, 'device', 'precision', 'threads', 'seed', 'quiet', 'json').action(
    (_: (typeof TASKS)[number], options: Options) => finetune(options),
  )
}

async function finetune(options: Options): Promise<void> {
  const { out, resume, quiet, json } = options
  refuseOut(out, resume)
  const finished = resume ? finishedNer(out) : undefined
  if (finished) {
    note(`${out}: has ended already`, quiet)
    return printResult(json, { ...finished }, () => describe(finished))
  }
  const place = resume ? listCheckpoints(out).at(-1) : undefined
  // once there is a checkpoint, what the run had gone on from does not matter any more
  const continueFrom = place ? undefined : options.continueFrom
  const run = setUpNer({ ...options, continueFrom, resumeFrom: place?.dir })
  warnOfUnknownMemory()
  const device = await openDevice(options.device, { threads: options.threads })
  let wantsStop = false
  const onInterrupt = () => {
    // a second one does not wait for the step
    if (wantsStop) process.exit(130)
    wantsStop = true
    note('\ninterrupted: finishing the step and writing a checkpoint (once more to quit at once)')
  }
  let bar: Progress | undefined
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt)
  try {
    const result = await finetuneNer(run, device, out, resume, {
      onStart(step, memory) {
        announce(run, device.info.detail, memory, quiet)
        bar = progress({ label: 'finetune ner', unit: 'steps', total: run.schedule.total, done: step, quiet })
      },
      onStep: ({ step, loss }, rate) =>
        bar?.update(step, `loss ${loss.toFixed(4)}  ${count(Math.round(rate))} tokens/s`),
      onEvaluation: ({ step, dev, best }) =>
        bar?.line(`step ${count(step)}: dev ${shortScores(dev)}${best ? ' (best so far)' : ''}`),
      interrupted: () => wantsStop,
    })
    bar?.stop()
    if (result.collapsed)
      warn(
        'the last evaluation found no entity: training has collapsed. ' +
          'Try a lower --learning-rate, more --warmup or another --seed',
      )
    printResult(json, { ...result }, () => describe(result))
  } catch (error) {
    if (!(error instanceof Interruption)) throw error
    bar?.stop()
    process.exitCode = 130
    note(error.message)
    if (json) printResult(json, { task: 'ner', interrupted: true, step: error.step, out }, '')
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
    bar?.stop()
    await device.destroy()
  }
}

/** What will be done, on standard error. */
function announce(run: NerRun, device: string, memory: number, quiet?: boolean): void {
  const { data, options, parameters, schedule, windows, perEpoch, ignored, continued } = run
  const sentences = [data.train, data.devel, data.test]
    .map((file) => count(file.sentences.length))
    .join(' + ')
  const origin =
    options.model ??
    (continued && `weights and moments of ${continued.place.dir}, steps counted from 0`) ??
    (options.tokenizer === undefined ? `of ${options.resumeFrom}` : `random weights, seed ${options.seed}`)
  note(`${device}; ${bytes(memory)} of native memory, ${options.precision ?? 'f32'}`, quiet)
  note(`model: ${origin}; ${count(parameters.count)} parameters; labels ${data.labels.join(', ')}`, quiet)
  if (ignored.length > 0) note(`not used from ${origin}: ${ignored.join(', ')}`, quiet)
  note(
    `data: ${sentences} sentences (train + dev + test), ${count(windows.examples.length)} windows to train on ` +
      `of up to ${run.maxLength} pieces; tags are in ${schemeText(data.scheme)}`,
    quiet,
  )
  note(
    `steps: ${count(schedule.total)} of ${options.batch} windows (${(schedule.total / perEpoch).toFixed(1)} epochs), ` +
      `AdamW, rate ${schedule.peak} after ${schedule.warmup} of warm-up; dev every ${count(run.evalEvery)}`,
    quiet,
  )
}

/** `IOBES, read as IOB2`. */
export function schemeText(scheme: TagScheme): string {
  return scheme === 'IOB2' ? scheme : `${scheme}, read as IOB2`
}

function shortScores({ precision, recall, f1 }: NerSummary): string {
  return `P ${percent(precision)} R ${percent(recall)} F1 ${percent(f1)}`
}

const percent = (fraction: number) => (100 * fraction).toFixed(2)

/** The scores of dev and test side by side. */
export function scoreTable(columns: Readonly<Record<string, NerSummary>>): string {
  const summaries = Object.values(columns)
  const row = (name: string, value: (summary: NerSummary) => number) => [
    name,
    ...summaries.map((summary) => percent(value(summary))),
  ]
  return table(
    ['score', ...Object.keys(columns)],
    [
      row('entity precision (exact, conlleval)', (s) => s.precision),
      row('entity recall', (s) => s.recall),
      row('entity F1', (s) => s.f1),
      row('entity F1, strict IOB2', (s) => s.strict_iob2.f1),
      row(`token accuracy, ${paperStyle}`, (s) => s.paper_style.token_accuracy),
      row(`macro F1 of B and I, ${paperStyle}`, (s) => s.paper_style.macro_f1),
      row(`weighted F1 with O, ${paperStyle}`, (s) => s.paper_style.weighted_f1),
      ['words scored', ...summaries.map(({ words }) => count(words))],
    ],
  )
}

function describe(result: NerResult): string {
  const { dev, test, best_step, steps, out, scheme, seconds, tokens_per_second } = result
  return [
    scoreTable({ dev, test }),
    `best of ${count(steps)} steps: ${count(best_step)}; ${duration(seconds)}, ${count(tokens_per_second)} tokens/s; ` +
      `model in ${out}, predictions there in IOB2${scheme === undefined ? '' : `; tags of the data: ${schemeText(scheme)}`}`,
  ].join('\n')
}
