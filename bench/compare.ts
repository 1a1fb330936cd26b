/**
 * Whole fine-tuning runs, ours beside PyTorch's: the same data, pieces, order, starting weights, schedule, optimizer and scoring,
 * over several seeds, once the first steps without dropout have shown that both compute the same. PyTorch is the one of
 * BIOALBERT_PEER_PYTHON. A run that has ended is not repeated: the same command goes on where it was stopped.
 *
 *   npm run compare -- --model DIR --data DIR [--sets NAME,...] [--seeds N] [--precision bf16] [--label NAME]
 *     --steps N --scored N   parts of runs: both sides train so many steps and score so many items, the same ones
 *     --seeds 3-4            these alone, beside others in the same folder; the result is written by `--seeds N`
 *     --untimed              other work disturbs these runs: their scores count, their times do not
 *   npm run compare -- --check   tiny runs on both sides, which have to agree
 *   npm run compare -- report    what is in bench/results
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { table } from '../src/cli/output.js'
import type { Device } from '../src/device/device.js'
import { UsageError, UserError } from '../src/error.js'
import { makeFolder, writeFileAtomic } from '../src/files.js'
import { taskNamed } from '../src/tasks/index.js'
import type { Scores } from '../src/tasks/task.js'
import { finetune } from '../src/training/finetuning/finetune.js'
import { finished } from '../src/training/finetuning/result_node.js'
import type { FinetuneRun, Part } from '../src/training/finetuning/setup.js'
import { setUpFinetuning } from '../src/training/finetuning/setup_node.js'
import {
  COMPARISON_HEAD,
  type Comparison,
  compareRuns,
  comparisonFile,
  comparisonRows,
  readComparisons,
  type SeedRuns,
} from './support/comparison.js'
import { openBenchDevice } from './support/device.js'
import { checkFinetunePeer } from './support/finetune_check.js'
import { type Agreement, agreeing } from './support/finetune_losses.js'
import { type PeerResult, trainPeer } from './support/finetune_peer.js'
import { COMPARED_SETS, type ComparedSet } from './support/finetune_sets.js'
import { facts } from './support/record.js'
import { markdownTable } from './support/report.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const USAGE =
  'npm run compare -- --model DIR --data DIR [--sets NAME,...] [--seeds N|FROM-TO] [--steps N] [--scored N] ' +
  '[--precision f32|bf16] [--untimed] [--out DIR] [--label NAME] [--micro N] [--compile], npm run compare -- --check, or npm run compare -- report'

/** In a seed's folder: other work ran beside its runs. */
const UNTIMED_FILE = 'untimed'

interface Options {
  readonly model: string
  readonly data: string
  readonly sets: readonly ComparedSet[]
  readonly seeds: Seeds
  /** Other work runs beside. */
  readonly untimed: boolean
  /** In place of those of the set, and at most so many items of dev and test, evenly spaced: where whole runs take too long. */
  readonly steps?: number
  readonly scored?: number
  /** Of products and what lies between them, PyTorch's by autocast (default f32). */
  readonly precision?: 'bf16'
  readonly out: string
  readonly label?: string
  readonly micro?: number
  readonly compile?: boolean
}

/** First and last; a set's result is of those from 1 on. */
type Seeds = readonly [number, number]

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.error(error.message)
  process.exitCode = 2
}

async function main(argv: readonly string[]): Promise<void> {
  const { values, positionals } = parse(argv)
  if (positionals.length > 0) {
    if (positionals[0] !== 'report' || argv.length > 1)
      throw new UsageError(`found ${argv.join(' ')} (${USAGE})`)
    const all = readComparisons(join(root, 'bench', 'results'))
    process.stdout.write(markdownTable([COMPARISON_HEAD, ...comparisonRows(all)]))
    return
  }
  // before hours are spent
  const options = values.check ? undefined : optionsOf(values)
  const device = await openBenchDevice()
  Object.assign(facts, device.info.facts)
  try {
    if (options === undefined) return await checkFinetunePeer(device, (line) => console.log(line))
    const all: Comparison[] = []
    for (const set of options.sets) {
      const runs = await runSet(set, options, device)
      if (options.seeds[0] === 1) all.push(writeResult(set, options, runs))
    }
    if (all.length > 0) console.log(`\n${table(COMPARISON_HEAD, comparisonRows(all))}`)
  } finally {
    await device.destroy()
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        model: { type: 'string' },
        data: { type: 'string' },
        sets: { type: 'string' },
        seeds: { type: 'string' },
        steps: { type: 'string' },
        scored: { type: 'string' },
        precision: { type: 'string' },
        out: { type: 'string' },
        label: { type: 'string' },
        micro: { type: 'string' },
        untimed: { type: 'boolean' },
        compile: { type: 'boolean' },
        check: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (${USAGE})`)
  }
}

function optionsOf(values: ReturnType<typeof parse>['values']): Options {
  const { model, data, label } = values
  if (model === undefined || data === undefined) throw new UsageError(`want --model and --data (${USAGE})`)
  if (label !== undefined && !/^[\w-]+$/.test(label))
    throw new UsageError(`--label: found '${label}', expected letters, digits, _ and -`)
  const { precision = 'f32' } = values
  if (precision !== 'f32' && precision !== 'bf16')
    throw new UsageError(`--precision: found '${precision}', expected f32 or bf16`)
  return {
    model,
    data,
    label,
    ...(precision === 'bf16' && { precision }),
    sets: values.sets === undefined ? COMPARED_SETS : values.sets.split(',').map(setNamed),
    seeds: seedsOf(values.seeds),
    untimed: values.untimed ?? false,
    steps: whole(values.steps, 'steps'),
    scored: whole(values.scored, 'scored'),
    micro: whole(values.micro, 'micro'),
    compile: values.compile,
    out: values.out ?? join(root, 'runs', 'compare'),
  }
}

function setNamed(name: string): ComparedSet {
  const found = COMPARED_SETS.find((set) => set.name.toLowerCase() === name.toLowerCase())
  if (!found)
    throw new UsageError(
      `--sets: found '${name}', expected some of ${COMPARED_SETS.map((set) => set.name).join(',')}`,
    )
  return found
}

function whole(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new UsageError(`--${option}: found '${text}', expected a whole number from 1`)
  return Number(text)
}

function seedsOf(text = '5'): Seeds {
  const found = /^(?:([1-9]\d{0,3})-)?([1-9]\d{0,3})$/.exec(text)
  const seeds = [Number(found?.[1] ?? 1), Number(found?.[2])] as const
  if (!(seeds[0] <= seeds[1]))
    throw new UsageError(`--seeds: found '${text}', expected how many, or the first and the last as in 3-5`)
  return seeds
}

interface SetRuns {
  readonly agreement: Agreement
  readonly runs: readonly SeedRuns[]
}

/** Runs what is missing of a set's runs. */
async function runSet(set: ComparedSet, options: Options, device: Device): Promise<SetRuns> {
  const folder = join(options.out, set.name)
  keepSettings(folder, settingsOf(set, options))
  const agreement = await agreementOf(set, options, folder, device)
  const runs: SeedRuns[] = []
  for (let [seed, last] = options.seeds; seed <= last; seed++)
    runs.push(await runSeed(set, options, seed, folder, device))
  return { agreement, runs }
}

function writeResult(set: ComparedSet, options: Options, { agreement, runs }: SetRuns): Comparison {
  const task = taskNamed(set.task)
  const comparison: Comparison = {
    command: commandLine(options, set),
    facts,
    date: new Date().toISOString(),
    set: set.name,
    task: task.name,
    metric: task.metric,
    settings: settingsOf(set, options),
    agreement,
    ...compareRuns(task.metric, runs),
  }
  // a part of a run that no label names is a trial
  const trial = (options.steps ?? options.scored) !== undefined && options.label === undefined
  const results =
    process.env.BIOALBERT_BENCH_OUT || join(root, 'bench', 'results', ...(trial ? ['quick'] : []))
  makeFolder(results)
  const file = join(results, comparisonFile(set, options.label))
  writeFileAtomic(file, `${JSON.stringify(comparison, null, 2)}\n`)
  console.log(`written to ${file}`)
  return comparison
}

function settingsOf(set: ComparedSet, options: Options): Record<string, unknown> {
  const { model, steps, scored, precision, micro, compile } = options
  const length = steps === undefined ? {} : { epochs: undefined, totalSteps: steps }
  return { ...set, ...length, scored, model: basename(resolve(model)), precision, micro, compile }
}

/** Refuses a folder with runs of other settings. */
function keepSettings(folder: string, settings: Record<string, unknown>): void {
  const file = join(folder, 'settings.json')
  const text = `${JSON.stringify(settings)}\n`
  if (!existsSync(file)) {
    makeFolder(folder)
    writeFileAtomic(file, text)
  } else if (readFileSync(file, 'utf8') !== text)
    throw new UserError(`${folder}: holds runs of other settings; remove it or name another --out`)
}

/** Of the first seed's run; before anything is timed, and once. */
async function agreementOf(
  set: ComparedSet,
  options: Options,
  folder: string,
  device: Device,
): Promise<Agreement> {
  const file = join(folder, 'agreement.json')
  if (!existsSync(file)) {
    const found = await agreeing(prepare(set, options, 1), device, join(folder, `agreement-${process.pid}`))
    writeFileAtomic(file, `${JSON.stringify(found)}\n`)
  }
  const found = JSON.parse(readFileSync(file, 'utf8')) as Agreement
  const apart = `differ by ${found.loss.toExponential(1)} of them at most`
  console.log(`${set.name}: losses of the first ${found.steps} steps without dropout ${apart}`)
  return found
}

/** Both runs with one seed, ours first; what has ended is read. */
async function runSeed(
  set: ComparedSet,
  options: Options,
  seed: number,
  folder: string,
  device: Device,
): Promise<SeedRuns> {
  const place = join(folder, `seed-${seed}`)
  const out = join(place, 'ours')
  const file = join(place, 'pytorch.json')
  makeFolder(place)
  const mark = join(place, UNTIMED_FILE)
  if (options.untimed && !(existsSync(file) && finished(out))) writeFileAtomic(mark, '')
  let prepared: FinetuneRun | undefined
  const run = () => {
    prepared ??= prepare(set, options, seed)
    return prepared
  }
  const task = taskNamed(set.task)
  const say = (who: string) => (step: number, dev: Scores) =>
    console.error(`${set.name}, seed ${seed}, ${who}, step ${step}: dev ${task.short(dev)}`)
  const sayOurs = say('ours')
  const ours =
    finished(out) ??
    (await finetune(run(), device, out, true, { onEvaluation: ({ step, dev }) => sayOurs(step, dev) }))
  if (!existsSync(file)) {
    const { precision, micro, compile } = options
    const peer = { folder: join(place, 'pytorch'), precision, micro, compile, onEvaluation: say('PyTorch') }
    writeFileAtomic(file, `${JSON.stringify(await trainPeer(run(), peer))}\n`)
  }
  const pytorch = JSON.parse(readFileSync(file, 'utf8')) as PeerResult
  const { best_step, dev, test, seconds, tokens_per_second } = ours
  for (const [who, side] of [['ours', ours] as const, ['PyTorch', pytorch] as const])
    console.log(
      `${set.name}, seed ${seed}, ${who}: test ${task.short(side.test)}, best of dev at step ${side.best_step}, ` +
        `${side.tokens_per_second} pieces/s, ${side.seconds.toFixed(0)} s`,
    )
  const untimed = existsSync(mark)
  const side = { best_step, dev, test, seconds, tokens_per_second }
  return { seed, ...(untimed && { untimed }), ours: side, pytorch }
}

function prepare(
  set: ComparedSet,
  { model, data, steps, scored, precision }: Options,
  seed: number,
): FinetuneRun {
  const run = setUpFinetuning(taskNamed(set.task), {
    data: join(data, set.folder),
    form: set.form,
    model,
    ...(steps === undefined ? { epochs: set.epochs, totalSteps: set.totalSteps } : { totalSteps: steps }),
    batch: set.batch,
    learningRate: set.learningRate,
    maxLength: set.maxLength,
    weightDecay: 0.01,
    clip: 1,
    seed,
    recompute: false,
    precision,
  })
  const evaluations = steps === undefined ? set.evaluations : 1
  const evalEvery = Math.ceil(run.schedule.total / evaluations)
  return { ...run, dev: some(run, run.dev, scored), test: some(run, run.test, scored), evalEvery }
}

/** At most `count` items of a part, evenly spaced. */
function some({ task, context }: FinetuneRun, part: Part, count = Number.POSITIVE_INFINITY): Part {
  const { items } = part.split
  if (items.length <= count) return part
  const taken = Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)])
  return { split: { ...part.split, items: taken }, examples: task.examples(taken, context, false) }
}

function commandLine(
  { model, seeds, steps, scored, precision, label, micro, compile }: Options,
  { name }: ComparedSet,
): string {
  const parts = [
    `npm run compare -- --model ${basename(resolve(model))} --data DATA --sets ${name} --seeds ${seeds[1]}`,
    ...(steps === undefined ? [] : [`--steps ${steps}`]),
    ...(scored === undefined ? [] : [`--scored ${scored}`]),
    ...(precision === undefined ? [] : [`--precision ${precision}`]),
    ...(micro === undefined ? [] : [`--micro ${micro}`]),
    ...(compile ? ['--compile'] : []),
    ...(label === undefined ? [] : [`--label ${label}`]),
  ]
  return parts.join(' ')
}
