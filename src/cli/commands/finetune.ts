/** `finetune`: trains a task on a pretrained or random model, keeps the best dev checkpoint and scores test. */
import { Argument, Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { PRESETS } from '../../model/config.js'
import { taskNamed, taskNames, tasks } from '../../tasks/index.js'
import type { Scores, Task } from '../../tasks/task.js'
import { finetune } from '../../training/finetuning/finetune.js'
import { type FinetuneResult, Interruption } from '../../training/finetuning/result.js'
import { finished, openFinetuningFolder } from '../../training/finetuning/result_node.js'
import type { FinetuneRun } from '../../training/finetuning/setup.js'
import { setUpFinetuning } from '../../training/finetuning/setup_node.js'
import { startsAnew } from '../../training/run_folder.js'
import { warnOfUnknownMemory } from '../model_options.js'
import { addShared, positiveInteger, type SharedOptions } from '../options.js'
import { bytes, count, duration, note, printResult, skippedText, table, warn, wrapped } from '../output.js'
import { type Progress, progress, showCompiling } from '../progress.js'
import { addRunOptions, type RunOptions } from '../run_options.js'

interface Options extends RunOptions, SharedOptions {
  data: string
  form?: string
  fold?: number
  model?: string
  tokenizer?: string
  continueFrom?: string
  preset?: string
  out: string
  resume: boolean
}

export function finetuneCommand(): Command {
  const command = new Command('finetune')
    .description(
      'Trains a task on a pretrained model (or on random weights), scores dev every so often, keeps the best ' +
        `weights in OUT and scores test with them.\n\nTasks, and what their folders hold:\n${taskTexts()}`,
    )
    .addArgument(new Argument('<task>', 'what to train').choices(taskNames))
    .requiredOption('--data <dir>', 'folder of the data set')
    .option('--form <name>', `how the data are read: ${formTexts()}`)
    .option('--fold <n>', 'the fold that is the test set, of data sets that have folds', positiveInteger)
    .option('--model <dir>', 'model folder to start from; its pretraining heads have no part')
    .option('--tokenizer <dir>', 'instead of --model: vocabulary folder for random weights')
    .option(
      '--continue-from <dir>',
      'instead of both: a checkpoint (or the folder of a run) whose weights and moments a new run goes on from, with ' +
        'a schedule and steps of its own',
    )
    .option('--preset <name>', `sizes of random weights: ${PRESETS.join(', ')}`)
    .requiredOption('--out <dir>', 'folder to make: model, log, predictions, scores')
  addRunOptions(command).option(
    '--resume',
    'go on with the run in OUT; a checkpoint there holds vocabulary and sizes',
    false,
  )
  return addShared(command, 'device', 'precision', 'threads', 'seed', 'quiet', 'json').action(
    (task: string, options: Options) => run(taskNamed(task), options),
  )
}

/** Every task, and what its folders hold, for --help. */
function taskTexts(): string {
  return tasks
    .flatMap(({ name, alias, summary, data }) => [`  ${name} (or ${alias}): ${summary}`, ...wrapped(data, 4)])
    .join('\n')
}

function formTexts(): string {
  const several = tasks.filter(({ forms }) => forms.length > 1)
  return several.map(({ name, forms }) => `${name} ${forms.join(' or ')}`).join('; ') || 'there is one only'
}

async function run(task: Task, options: Options): Promise<void> {
  const { out, resume, quiet, json } = options
  const before = resume ? finished(out) : undefined
  if (before) {
    note(`${out}: has ended already`, quiet)
    return printResult(json, { ...before }, () => describe(task, before))
  }
  const place = openFinetuningFolder(out, resume)
  // once there is a checkpoint, what the run had gone on from does not matter any more
  const continueFrom = place ? undefined : options.continueFrom
  const set = setUpFinetuning(task, { ...options, continueFrom, resumeFrom: place?.dir })
  warnOfUnknownMemory()
  let bar: Progress | undefined
  const device = await openDevice(options.device, {
    threads: options.threads,
    compiling: showCompiling(() => bar),
  })
  let wantsStop = false
  const onInterrupt = () => {
    // a second one does not wait for the step
    if (wantsStop) process.exit(130)
    wantsStop = true
    note('\ninterrupted: finishing the step and writing a checkpoint (once more to quit at once)')
  }
  let first = 0
  let reached = 0
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt)
  try {
    const result = await finetune(set, device, out, resume, {
      onStart(step, memory) {
        announce(set, device.info.detail, memory, quiet)
        if (resume && !place) note(startsAnew(out), quiet)
        const { total } = set.schedule
        reached = Math.min(step, total)
        bar = progress({
          label: `finetune ${task.name}`,
          unit: 'steps',
          total,
          done: Math.min(step, total),
          quiet,
        })
      },
      onStep({ step, loss, skippedSteps }, rate) {
        reached = step - first
        bar?.update(
          reached,
          `loss ${loss.toFixed(4)}  ${count(Math.round(rate))} tokens/s${skippedText(skippedSteps)}`,
        )
      },
      onScoring: (done, examples) => bar?.update(reached, `scoring ${count(done)} of ${count(examples)}`),
      onEvaluation: ({ step, dev, best }) =>
        bar?.line(`step ${count(step)}: dev ${task.short(dev)}${best ? ' (best so far)' : ''}`),
      onRetrain(total) {
        bar?.stop()
        first = set.schedule.total
        reached = 0
        note(`again on train and dev together: ${count(total)} steps`, quiet)
        bar = progress({ label: `retrain ${task.name}`, unit: 'steps', total, quiet })
      },
      interrupted: () => wantsStop,
    })
    bar?.stop()
    if (result.collapsed)
      warn(
        `the last evaluation ${result.collapsed}: training has collapsed. ` +
          'Try a lower --learning-rate, more --warmup or another --seed',
      )
    printResult(json, { ...result }, () => describe(task, result))
  } catch (error) {
    if (!(error instanceof Interruption)) throw error
    bar?.stop()
    process.exitCode = 130
    note(error.message)
    if (json) printResult(json, { task: task.name, interrupted: true, step: error.step, out }, '')
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
    bar?.stop()
    await device.destroy()
  }
}

/** What will be done, on standard error. */
function announce(set: FinetuneRun, device: string, memory: number, quiet?: boolean): void {
  const { task, data, options, parameters, schedule, perEpoch, ignored, continued, batch, context } = set
  const items = [data.train, data.dev, data.test].map((split) => count(split.items.length)).join(' + ')
  const origin =
    options.model ??
    (continued && `weights and moments of ${continued.place.dir}, steps counted from 0`) ??
    (options.tokenizer === undefined ? `of ${options.resumeFrom}` : `random weights, seed ${options.seed}`)
  note(`${device}; ${bytes(memory)} of native memory, ${options.precision ?? 'f32'}`, quiet)
  note(`model: ${origin}; ${count(parameters.count)} parameters; labels ${data.labels.join(', ')}`, quiet)
  if (ignored.length > 0) note(`not used from ${origin}: ${ignored.join(', ')}`, quiet)
  note(
    [
      `data: ${items} ${task.unit} (train + dev + test), ${count(set.train.examples.length)} examples to train on ` +
        `of up to ${context.maxLength} pieces`,
      ...cutNote(set),
      ...data.notes,
    ].join('; '),
    quiet,
  )
  note(
    `steps: ${count(schedule.total)} of ${batch} examples (${(schedule.total / perEpoch).toFixed(1)} epochs), ` +
      `AdamW, rate ${schedule.peak} after ${schedule.warmup} of warm-up; dev every ${count(set.evalEvery)}`,
    quiet,
  )
}

/** How many examples did not fit, where some did not. */
function cutNote({ train, dev, test }: FinetuneRun): string[] {
  const cut = [train, dev, test].flatMap(({ examples }) => examples.filter(({ cut = 0 }) => cut > 0))
  return cut.length === 0 ? [] : [`${count(cut.length)} of all examples were cut to fit`]
}

/** The scores of several files side by side. */
export function scoreTable(task: Task, columns: Readonly<Record<string, Scores>>): string {
  return table(['score', ...Object.keys(columns)], task.rows(Object.values(columns)))
}

function describe(task: Task, result: FinetuneResult): string {
  const { dev, test, best_step, steps, out, seconds, tokens_per_second } = result
  return [
    scoreTable(task, { dev, test }),
    `best of ${count(steps)} steps: ${count(best_step)}; ${duration(seconds)}, ${count(tokens_per_second)} tokens/s${skippedText(result.skipped_steps)}; ` +
      `model, log and predictions in ${out}`,
  ].join('\n')
}
