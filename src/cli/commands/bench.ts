/** `bench runtime`: BioALBERT and BioBERT at the same pretraining step, side by side; with --model, what a GPU would do. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Device } from '../../device/device.js'
import { openDevice } from '../../device/open.js'
import {
  BENCH_MODELS,
  type BenchModel,
  type BenchResult,
  benchRuntime,
} from '../../training/pretraining/runtime_bench.js'
import {
  fileBytes,
  QUOTED_SOURCE,
  SCHEDULES,
  type Sharing,
  scheduleDays,
  sharing,
} from '../../training/pretraining/runtime_figures.js'
import { benchModel, MODEL_CARDS, type ModelCard } from '../bench_model.js'
import { warnOfUnknownMemory } from '../model_options.js'
import { addShared, positiveInteger, type SharedOptions } from '../options.js'
import { bytes, count, note, printResult, table } from '../output.js'

interface Options extends Pick<SharedOptions, 'device' | 'threads' | 'seed' | 'json' | 'quiet'> {
  models: BenchModel[]
  rows: number
  length: number
  steps: number
  model?: ModelCard
}

const DEFAULT_MODELS: BenchModel[] = ['bioalbert-base', 'biobert-base', 'bioalbert-large', 'biobert-large']

export function benchCommand(): Command {
  const command = new Command('bench').description('Benchmarks of whole models on this machine.')
  const runtime = command
    .command('runtime')
    .summary('BioALBERT and BioBERT at the same pretraining step')
    .description(
      'Times the pretraining step of BioALBERT (LAMB, shared block) and BioBERT (AdamW, a block for every layer) on the ' +
        'same synthetic sequences, the models of one size in turn, and tells what sharing saves and what it does not.',
    )
    .option('--models <names>', `comma-separated, of ${BENCH_MODELS.join(', ')}`, modelNames, DEFAULT_MODELS)
    .option('--rows <n>', 'tokens of a step (as many sequences as fit)', positiveInteger, 1024)
    .option('--length <n>', 'tokens of a sequence', positiveInteger, 512)
    .option('--steps <n>', 'timed steps of each model', positiveInteger, 5)
    .addOption(
      new Option('--model <card>', 'run nothing: predict pretraining and fine-tuning on this NVIDIA GPU')
        .choices(MODEL_CARDS)
        .conflicts(['models', 'steps', 'device', 'threads', 'seed']),
    )
  addShared(runtime, 'device', 'threads', 'seed', 'json', 'quiet').action(run)
  return command
}

function modelNames(text: string): BenchModel[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !(BENCH_MODELS as readonly string[]).includes(name))
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no model '${unknown}' (want ${BENCH_MODELS.join(', ')}).`)
  return names as BenchModel[]
}

async function run(options: Options, command: Command): Promise<void> {
  const { json, quiet, length, models } = options
  if (options.model !== undefined) {
    const isOwn = ['rows', 'length'].some((name) => command.getOptionValueSource(name) === 'cli')
    return benchModel(options.model, { json, quiet, own: isOwn ? options : undefined })
  }
  const rows = Math.floor(options.rows / length) * length
  const device = await openDevice(options.device, { threads: options.threads })
  try {
    warnOfUnknownMemory()
    note(`${device.info.name}, ${device.info.detail}; ${models.join(', ')}`, quiet)
    const results = await benchRuntime(device, options, (model, seconds) =>
      note(`${model}: a step in ${seconds.toFixed(3)} s`, quiet),
    )
    const setting = { device: device.info.name, detail: device.info.detail, rows, length }
    const object = {
      ...setting,
      steps: options.steps,
      models: results.map((result) => summary(result, rows)),
      quoted_source: QUOTED_SOURCE,
      biobert_over_bioalbert: sharing(results).map(ratios),
    }
    printResult(json, object, () => describe(results, rows, length, device))
  } finally {
    await device.destroy()
  }
}

function summary(result: BenchResult, rows: number) {
  const { model, optimizer, parameters, memory, multiplyAdds, step, split, losses } = result
  const { weights, checkpoint } = fileBytes(result)
  return {
    model,
    optimizer,
    parameters,
    weights_bytes: weights,
    checkpoint_bytes: checkpoint,
    gradient_bytes: memory.gradientBytes,
    optimizer_bytes: memory.optimizerBytes,
    activation_bytes: memory.activationBytes,
    planned_bytes: memory.totalBytes,
    multiply_adds_per_token: Math.round(multiplyAdds),
    step_seconds: step,
    forward_seconds: split.forward,
    backward_seconds: split.backward,
    optimizer_seconds: split.optimizer,
    tokens_per_second: rows / step,
    first_loss: losses[0],
    last_loss: losses[1],
    schedules: scheduleDays(result, rows).map(({ quoted = null, ...schedule }) => ({
      ...schedule,
      quoted_days: quoted,
    })),
  }
}

function ratios(s: Sharing) {
  return {
    size: s.size,
    parameters: s.parameters,
    checkpoint_bytes: s.checkpointBytes,
    gradient_bytes: s.gradientBytes,
    optimizer_bytes: s.optimizerBytes,
    optimizer_seconds: s.optimizerSeconds,
    activation_bytes: s.activationBytes,
    multiply_adds_per_token: s.multiplyAdds,
    step_seconds: s.stepSeconds,
  }
}

function describe(results: readonly BenchResult[], rows: number, length: number, device: Device): string {
  const row = (what: string, value: (result: BenchResult) => string) => [what, ...results.map(value)]
  const milliseconds = (seconds: number) => `${(1000 * seconds).toFixed(1)} ms`
  const days = SCHEDULES.flatMap(({ corpus, steps }, i) => [
    row(`days for ${corpus}, ${count(steps)} steps (estimated)`, (r) =>
      daysText(scheduleDays(r, rows)[i].days),
    ),
    row('  the paper’s days (quoted)', (r) => scheduleDays(r, rows)[i].quoted ?? 'not given'),
  ])
  const figures = table(
    ['', ...results.map(({ model }) => model)],
    [
      row('optimizer', (r) => r.optimizer),
      row('parameters', (r) => count(r.parameters)),
      row('weights in a file', (r) => bytes(fileBytes(r).weights)),
      row('checkpoint (weights, two moments)', (r) => bytes(fileBytes(r).checkpoint)),
      row('gradients (a data-parallel step sends them)', (r) => bytes(r.memory.gradientBytes)),
      row('optimizer state', (r) => bytes(r.memory.optimizerBytes)),
      row('activations', (r) => bytes(r.memory.activationBytes)),
      row('planned memory in all', (r) => bytes(r.memory.totalBytes)),
      row('multiply-adds a token', (r) => millions(r.multiplyAdds)),
      row('step', (r) => milliseconds(r.step)),
      row('  forward', (r) => milliseconds(r.split.forward)),
      row('  backward', (r) => milliseconds(r.split.backward)),
      row('  optimizer', (r) => milliseconds(r.split.optimizer)),
      row('tokens/s', (r) => count(Math.round(rows / r.step))),
      ...days,
    ],
  )
  return [
    `${device.info.name}, ${device.info.detail}; steps of ${count(rows)} tokens in sequences of ${count(length)}`,
    '',
    figures,
    '',
    'Days are estimated from the step above for the batches of the papers: 1,024 sequences of 512 tokens (base), 256 (large).',
    `Quoted figures: ${QUOTED_SOURCE}.`,
    ...sharing(results).flatMap((s) => ['', ...sharingText(s)]),
  ].join('\n')
}

function millions(value: number): string {
  return value < 1e7 ? `${(value / 1e6).toFixed(2)} M` : `${count(Math.round(value / 1e6))} M`
}

function daysText(days: number): string {
  return days < 10 ? days.toFixed(2) : count(Math.round(days))
}

/** What sharing one block saves, and what it does not. */
function sharingText(s: Sharing): string[] {
  const times = (ratio: number) => `${ratio.toFixed(ratio < 10 ? 2 : 1)} times`
  return [
    `${s.size}, saved by sharing one block and factorising the embeddings: BioBERT has ${times(s.parameters)} the parameters, ` +
      `${times(s.checkpointBytes)} the checkpoint bytes, ${times(s.gradientBytes)} the gradient bytes, ` +
      `${times(s.optimizerBytes)} the optimizer bytes; its optimizer (AdamW against LAMB) takes ${times(s.optimizerSeconds)} as long.`,
    `${s.size}, not saved: the layers are computed all the same. BioBERT needs ${times(s.multiplyAdds)} the multiply-adds a token and ` +
      `${times(s.activationBytes)} the activations; its step takes ${times(s.stepSeconds)} as long here.`,
  ]
}
