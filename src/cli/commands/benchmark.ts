/** `benchmark`: fine-tunes models on data sets, several seeds each, and puts their scores side by side. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { openDevice } from '../../device/open.js'
import { measurePeaks } from '../../device/peak.js'
import { UsageError } from '../../error.js'
import { type Estimate, estimates } from '../../evaluation/estimate.js'
import { FinetuneRunner, type RunSettings } from '../../evaluation/finetune_runner.js'
import { remarksOf, sectionsOf } from '../../evaluation/format.js'
import { type BenchmarkModel, chooseModels } from '../../evaluation/models.js'
import { type Pinned, pinPlan, plannedIn } from '../../evaluation/pin.js'
import { type BenchmarkSet, chooseSets, type PlannedRun, planRuns, seedsFrom } from '../../evaluation/plan.js'
import { BENCHMARK_FILE, type BenchmarkRecord, hasEnded } from '../../evaluation/record.js'
import { type EvaluationHooks, runEvaluation, scoredRun } from '../../evaluation/run.js'
import { packageRoot } from '../../paths.js'
import { taskNamed } from '../../tasks/index.js'
import { availableMemory } from '../../training/memory.js'
import { refusePrecision } from '../../training/precision.js'
import { addShared, positiveInteger, type SharedOptions } from '../options.js'
import { bytes, count, duration, note, printResult, table, warn } from '../output.js'
import { type Progress, progress } from '../progress.js'
import { addRunOptions, type RunOptions } from '../run_options.js'

/** The options of runs are pinned in OUT. */
interface Options extends RunOptions, SharedOptions {
  model: string[]
  data: string
  out: string
  tokenizer?: string
  checkpoints: boolean
  tasks?: string[]
  sets?: string[]
  seeds: number
  folds: number | 'all'
  dryRun: boolean
}

export function benchmarkCommand(): Command {
  const command = new Command('benchmark')
    .description(
      'Fine-tunes every model on every data set below a folder, several seeds each, and puts the test scores side by ' +
        'side: mean, deviation, intervals, differences, means by task, published scores. A killed one goes on where it ' +
        'was with the same command; models, sets, seeds and folds may be added.',
    )
    .requiredOption('--model <dir...>', 'models: DIR, NAME=DIR, or random:PRESET for random weights')
    .requiredOption('--data <dir>', 'folder that holds the data sets, at any depth (see: datasets)')
    .requiredOption('--out <dir>', 'folder of the runs and of benchmark.json')
    .option('--tokenizer <dir>', 'vocabulary folder of random weights')
    .option('--checkpoints', "a run's folder stands for every checkpoint in it", false)
    .option('--tasks <name...>', 'these tasks only')
    .option('--sets <name...>', 'these data sets only (default: all that are there)')
    .option('--seeds <n>', 'seeds, counted up from --seed', positiveInteger, 5)
    .option('--folds <n>', 'tests of a data set with folds: how many of them, or all', foldCount, 1)
    .option('--dry-run', 'print the runs, their time and memory, and end', false)
  addRunOptions(command)
  return addShared(command, 'device', 'precision', 'threads', 'seed', 'quiet', 'json').action(benchmark)
}

function foldCount(text: string): number | 'all' {
  if (text === 'all') return 'all'
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number of 1 or more, or all.')
}

async function benchmark(options: Options): Promise<void> {
  const { data, out, quiet, json } = options
  if (options.epochs !== undefined && options.totalSteps !== undefined)
    throw new UsageError('want either --epochs or --total-steps')
  await refuseDevice(options)
  const models = chooseModels(options.model, options)
  const sets = chooseSets(options, taskNamed)
  const wanted = planRuns(sets, models, seedsFrom(options.seed, options.seeds), options.folds)
  const pinning = { options: pinned(options), models, sets, runs: wanted }
  const runs = plannedIn(out, pinning)
  const left = wanted.filter(({ dir }) => !hasEnded(join(out, dir)))
  const runner = new FinetuneRunner(taskNamed, runSettings(options), options.device, options.threads)
  note(`${count(wanted.length)} runs, ${count(left.length)} of them left; looking at what they need`, quiet)
  const ended = wanted.filter(({ dir }) => hasEnded(join(out, dir))).map((run) => scoredRun(out, run))
  const gflops = options.dryRun && left.length > 0 ? await peakOf(options) : undefined
  // what cannot be is said before the first run and not after the last
  const plan = estimates(left, ended, (run) => runner.examine(run), gflops)
  if (options.dryRun) return printPlan(options, { runs: runs.length, left: left.length, plan, sets, models })
  const evaluation = {
    ...{ out, wanted, command: process.argv.slice(2), version: version(), seed: options.seed },
    runs: pinPlan(out, pinning),
    rateOf: (task: string) => (sum: readonly number[]) => taskNamed(task).rate(sum),
  }
  announce({ sets, models, plan, data }, quiet)
  const record = await interruptibly(runner, options, (hooks) => runEvaluation(evaluation, runner, hooks))
  if (record === undefined) return
  if (record.failures.length > 0) process.exitCode = 1
  printResult(json, { ...record }, () => describe(record, out))
}

/** What decides the scores beside models, data and seeds. */
const RUN_OPTIONS = [
  'settings',
  'epochs',
  'totalSteps',
  'batch',
  'learningRate',
  'warmup',
  'weightDecay',
  'clip',
  'biasCorrection',
  'maxLength',
  'evalEvery',
  'dropout',
  'rows',
  'recompute',
  'retrain',
  'precision',
] as const satisfies readonly (keyof RunSettings)[]

function runSettings(options: Options): RunSettings {
  const chosen = Object.fromEntries(RUN_OPTIONS.map((name) => [name, options[name]]))
  return chosen as Pick<Options, (typeof RUN_OPTIONS)[number]>
}

/** The same as a person writes them. */
function pinned(options: Options): Pinned {
  const written = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return Object.fromEntries(
    RUN_OPTIONS.flatMap((name) => {
      const value = options[name]
      return value === undefined ? [] : [[written(name), value]]
    }),
  )
}

function version(): string {
  const manifest = readFileSync(join(packageRoot, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** Says at once what would else be said of every run. */
async function refuseDevice({ device: choice, precision }: Options): Promise<void> {
  if (precision === 'f32') return
  const device = await openDevice(choice, { measure: false })
  try {
    refusePrecision(precision, device)
  } finally {
    await device.destroy()
  }
}

/** GFLOP/s of products of the wanted precision. */
async function peakOf({ device: choice, threads, precision }: Options): Promise<number | undefined> {
  const device = await openDevice(choice, { threads })
  try {
    const peaks = await measurePeaks(device)
    return precision === 'bf16' ? peaks?.bf16 : peaks?.gflops
  } finally {
    await device.destroy()
  }
}

/** Runs with a bar for each run; undefined where the person stopped it, which has been said then. */
async function interruptibly(
  runner: FinetuneRunner,
  { out, quiet, json }: Options,
  run: (hooks: EvaluationHooks) => Promise<BenchmarkRecord>,
): Promise<BenchmarkRecord | undefined> {
  let wantsStop = false
  const onInterrupt = () => {
    // a second one does not wait for the step
    if (wantsStop) process.exit(130)
    wantsStop = true
    note('\ninterrupted: finishing the step and writing a checkpoint (once more to quit at once)')
  }
  let bar: Progress | undefined
  let label = ''
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt)
  try {
    return await run({
      onRun(planned, done, total) {
        label = `${done + 1}/${total} ${runName(planned)}`
      },
      onStart(total, done) {
        bar = progress({ label, unit: 'steps', total, done: Math.min(done, total), quiet })
      },
      onStep: (step, rate) => bar?.update(step, `${count(Math.round(rate))} tokens/s`),
      onEnd(planned, { test, seconds, collapsed }) {
        bar?.stop()
        const task = taskNamed(planned.set.task)
        note(`${runName(planned)}: test ${task.short(test)}, ${duration(seconds)}`, quiet)
        if (collapsed) warn(`${planned.dir}: the last evaluation ${collapsed}: training has collapsed`)
      },
      onFailure({ dir, error }) {
        bar?.stop()
        warn(`${dir} failed, the others go on: ${error}`)
      },
      interrupted: () => wantsStop,
    })
  } catch (error) {
    if (!runner.isInterruption(error)) throw error
    process.exitCode = 130
    bar?.stop()
    note(`interrupted; the same command goes on with ${out}`)
    if (json) printResult(json, { interrupted: true, out }, '')
    return undefined
  } finally {
    bar?.stop()
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
  }
}

function runName({ set, model, seed, fold }: PlannedRun): string {
  return `${set.name}, ${model.name}, seed ${seed}${fold === undefined ? '' : `, fold ${fold}`}`
}

interface Announced {
  readonly sets: readonly BenchmarkSet[]
  readonly models: readonly BenchmarkModel[]
  readonly plan: readonly Estimate[]
  readonly data: string
}

/** What will be done, on standard error. */
function announce({ sets, models, plan, data }: Announced, quiet?: boolean): void {
  for (const { name, dir, parameters } of models)
    note(`model ${name}: ${dir}, encoder of ${count(parameters)} parameters`, quiet)
  for (const { name, task, folder, unit, train, dev, test } of sets)
    note(`${name} (${task}): ${folder}, ${[train, dev, test].map(count).join(' + ')} ${unit}`, quiet)
  note(`other data sets are not below ${data} or were not asked for`, quiet)
  const known = plan.filter(({ seconds }) => seconds !== null)
  const seconds = known.reduce((sum, one) => sum + (one.seconds ?? 0), 0)
  if (plan.length > 0 && known.length === plan.length) note(`about ${duration(seconds)} are left`, quiet)
}

interface PlanToPrint extends Omit<Announced, 'data'> {
  readonly runs: number
  readonly left: number
}

/** --dry-run. */
function printPlan({ json, precision, out }: Options, { runs, left, plan, sets, models }: PlanToPrint): void {
  const total = plan.some(({ seconds }) => seconds === null)
    ? null
    : plan.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0)
  const largest = Math.max(0, ...plan.map((one) => one.bytes))
  const available = availableMemory()
  const result = {
    ...{ out, runs, left, seconds: total, bytes: largest, available_bytes: available ?? null, precision },
    models: models.map(({ name, dir, parameters }) => ({ name, dir, parameters })),
    sets: sets.map(({ known: _, ...set }) => set),
    plan: plan.map(({ trainTokens, predictTokens, ...one }) => ({
      ...one,
      train_tokens: trainTokens,
      predict_tokens: predictTokens,
    })),
  }
  printResult(json, result, () => {
    const rows = plan.map(({ set, model, runs, steps, trainTokens, bytes: memory, seconds, by }) => [
      ...[set, model, count(runs), count(steps), count(trainTokens), bytes(memory)],
      seconds === null ? '?' : `${by === 'floor' ? 'over ' : ''}${duration(seconds)}`,
      by,
    ])
    const header = ['data set', 'model', 'runs', 'steps', 'tokens of a run', 'memory', 'time of all', 'by']
    const isFloor = plan.some(({ by }) => by === 'floor')
    return [
      table(header, rows),
      '',
      `${count(left)} of ${count(runs)} runs are left, one after another` +
        (total === null ? '' : `: ${isFloor ? 'over' : 'about'} ${duration(total)}`),
      ...(isFloor
        ? [
            'floor: products alone at the measured peak; a run takes more, and after the first ones this is measured',
          ]
        : []),
      `at most ${bytes(largest)} at a time beside the device's own` +
        (available === undefined ? '' : `, ${bytes(available)} are available`),
    ].join('\n')
  })
}

function describe(record: BenchmarkRecord, out: string): string {
  return [
    ...sectionsOf(record).flatMap(({ title, header, rows }) => [title, '', table(header, rows), '']),
    ...remarksOf(record),
    `all of it in ${join(out, BENCHMARK_FILE)}, the runs beside it`,
  ].join('\n')
}
