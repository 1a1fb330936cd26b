/** `pretrain`: MLM + SOP or NSP pretraining on instances, from random weights or those of a model. */
import { Command, Option } from 'commander'
import type { Device } from '../../device/device.js'
import { openDevice } from '../../device/open.js'
import { hasOwnMemory } from '../../training/memory.js'
import { type PretrainResult, pretrain } from '../../training/pretraining/pretrain.js'
import type { PretrainChoices } from '../../training/pretraining/settings.js'
import { memoryOfRun, type PretrainSetup, setUpPretraining } from '../../training/pretraining/setup.js'
import { startsAnew } from '../../training/run_folder.js'
import { addModelOptions, memoryText, warnOfUnknownMemory } from '../model_options.js'
import {
  addShared,
  F16,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  precisions,
  probability,
  type SharedOptions,
  seed,
} from '../options.js'
import { count, note, printResult, skippedText, warn } from '../output.js'
import { type Progress, progress, showCompiling } from '../progress.js'

interface Options extends PretrainChoices, Omit<SharedOptions, 'seed' | 'precision'> {
  instances?: string
  tokenizer?: string
  out: string
  init?: string
  continueFrom?: string
  resume?: boolean
  minutes?: number
  evalEvery?: number
  evalInstances: number
  saveEvery?: number
  keep: number
}

export function pretrainCommand(): Command {
  const command = new Command('pretrain')
    .description('pretrain ALBERT (MLM + SOP) or BERT (MLM + NSP) on instances')
    .option('--instances <dir>', 'folder of instances (see: instances); a checkpoint knows its own')
    .option('--tokenizer <dir>', 'vocabulary folder (see: vocab); a checkpoint holds its own')
    .requiredOption('--out <dir>', 'folder to make: log.jsonl, checkpoints, and the model at the end')
    .option('--init <dir>', 'start from the weights of a model folder')
    .option('--resume', 'go on from the newest checkpoint in --out; settings left out are those of the run')
    .option(
      '--continue-from <dir>',
      'start a new run, with a schedule and steps of its own, from the weights and moments of a checkpoint or of the ' +
        'newest one of a run; settings left out are those of that run',
    )
  addModelOptions(command)
    .option('--dropout <p>', 'dropout instead of the preset’s', probability)
    .option(
      '--initializer-range <s>',
      'standard deviation of random weights (default: 0.02, mini 0.04)',
      positiveNumber,
    )
    .addOption(new Option('--optimizer <name>', 'default: lamb, adamw for BERT').choices(['lamb', 'adamw']))
    .option('--learning-rate <rate>', 'peak (default: the papers’, by preset)', positiveNumber)
    .option('--weight-decay <rate>', 'default: 0.01', nonNegativeNumber)
    .option(
      '--clip <norm>',
      'largest global norm of the gradients, 0 for no clipping (default: 1)',
      nonNegativeNumber,
    )
    .option(
      '--bias-correction',
      'divide the moments by 1 - beta^t, as You et al. and the usual AdamW do (the original ALBERT does not)',
    )
    .option('--total-steps <n>', 'steps of the schedule (default: by preset)', positiveInteger)
    .option(
      '--warmup <n>',
      'steps of linear warm-up (default: 3125, BERT 10000, at most a tenth of all)',
      nonNegativeInteger,
    )
    .option(
      '--batch <n>',
      'instances of a step, gathered over micro-batches (default: by preset)',
      positiveInteger,
    )
    .option(
      '--rows <n>',
      'tokens of a micro-batch, at most; decides the memory (default: 4096)',
      positiveInteger,
    )
    .option('--recompute', 'compute activations again in the backward pass instead of keeping them')
    .addOption(
      new Option('--precision <type>', `activations and matrix operands; ${F16} (default: f32)`).choices(
        precisions,
      ),
    )
    .option(
      '--eval-every <n>',
      'steps between held-out evaluations (default: a twentieth of all, at most 1000)',
      positiveInteger,
    )
    .option('--eval-instances <n>', 'held-out instances to evaluate on, at most', positiveInteger, 256)
    .option('--save-every <n>', 'steps between checkpoints (default: as --eval-every)', positiveInteger)
    .option('--keep <n>', 'checkpoints to keep besides the best', positiveInteger, 2)
    .option('--minutes <m>', 'end the run at the first step after so many minutes', positiveNumber)
    .option('--seed <n>', 'seed of everything random (default: 42)', seed)
    .addHelpText(
      'after',
      '\nInterrupted (Ctrl-C), it finishes the step, writes a checkpoint and exits with status 130; the same command\n' +
        'with --resume goes on from there, or from the last checkpoint of a run that was killed, to the same bits; where\n' +
        'there is none yet it starts the run:\n' +
        '  pretrain --out P --resume\n' +
        'A run keeps its settings. Other ones want a run of its own:\n' +
        '  pretrain --out P2 --continue-from P --total-steps 5000 --learning-rate 0.001\n' +
        'On the same instances and seed it goes on through the data where that run stood, on others it begins with them.',
    )
  return addShared(command, 'steps', 'device', 'threads', 'json', 'quiet').action(run)
}

async function run(options: Options): Promise<void> {
  const { out, json, quiet } = options
  const setup = await setUpPretraining({
    choices: choicesOf(options),
    instances: options.instances,
    tokenizer: options.tokenizer,
    out,
    init: options.init,
    continueFrom: options.continueFrom,
    resume: options.resume ?? false,
    ownMemory: hasOwnMemory(options.device),
    evalInstances: options.evalInstances,
  })
  for (const message of setup.warnings) warn(message)
  warnOfUnknownMemory()
  let bar: Progress | undefined
  const device = await openDevice(options.device, {
    threads: options.threads,
    compiling: showCompiling(() => bar),
  })
  const interruption = new AbortController()
  const interrupt = () => {
    // a second one does not wait for the step
    if (interruption.signal.aborted) process.exit(130)
    interruption.abort()
    note('\ninterrupted: finishing the step and writing a checkpoint (once more to quit at once)')
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  const { stream } = setup
  const pairs = stream.info.pairs.toUpperCase()
  const { total } = setup.settings.schedule
  const every = Math.max(1, Math.min(1000, Math.round(total / 20)))
  const evalEvery = options.evalEvery ?? every
  try {
    for (const line of describe(setup, device, options)) note(line, quiet)
    const result = await pretrain(setup, device, {
      out,
      steps: options.steps,
      minutes: options.minutes,
      evalEvery,
      saveEvery: options.saveEvery ?? evalEvery,
      keep: options.keep,
      signal: interruption.signal,
      events: {
        started: (step) => {
          const end = Math.min(total, options.steps ?? total)
          bar = progress({ label: 'pretrain', unit: 'steps', total: end, done: step, quiet })
        },
        step: (line) =>
          bar?.update(
            line.step,
            `loss ${line.loss.toFixed(3)} (mlm ${line.mlm.toFixed(3)}, ${stream.info.pairs} ${line.sop.toFixed(3)})  ` +
              `${count(line.tokens_per_second)} tokens/s${skippedText(line.skipped_steps)}`,
          ),
        heldOut: (step, { loss, mlmAccuracy, sopAccuracy }) =>
          bar?.line(
            `step ${count(step)}: held out loss ${loss.toFixed(3)}, MLM accuracy ${percent(mlmAccuracy)} ` +
              `(unigram ${percent(setup.baseline)}), ${pairs} accuracy ${percent(sopAccuracy)}`,
          ),
        saved: (_, dir, best) => bar?.line(`checkpoint ${dir}${best ? ' (best so far)' : ''}`),
      },
    })
    bar?.stop()
    conclude(result, setup, out, json)
  } finally {
    bar?.stop()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await device.destroy()
  }
}

function choicesOf(o: Options): PretrainChoices {
  const { preset, embeddingSize, hiddenSize, layers, heads, intermediateSize, maxPositions } = o
  const { dropout, initializerRange } = o
  const { optimizer, learningRate, weightDecay, clip, biasCorrection } = o
  const { totalSteps, warmup, batch, rows, recompute, precision } = o
  return {
    preset,
    embeddingSize,
    hiddenSize,
    layers,
    heads,
    intermediateSize,
    maxPositions,
    dropout,
    initializerRange,
    optimizer,
    learningRate,
    weightDecay,
    clip,
    biasCorrection,
    totalSteps,
    warmup,
    batch,
    rows,
    recompute,
    precision,
    seed: o.seed,
  }
}

function describe(setup: PretrainSetup, device: Device, { init, out, resume }: Options): string[] {
  const { settings, stream, heldOut, capacity, resumed, continued, programs } = setup
  const { config, schedule, optimizer, batch } = settings
  const { info } = stream
  const tokens = (batch * info.tokens) / info.instances
  const micro = Math.ceil(Math.max(tokens / capacity.rows, batch / capacity.sequences))
  const lines = [
    `model: ${settings.preset ?? (continued || resumed ? 'of the checkpoint' : 'of --init')}, ${count(programs.parameters.count)} parameters (E ${config.embeddingSize}, ` +
      `H ${config.hiddenSize}, L ${config.layers}, A ${config.heads}, I ${config.intermediateSize}), dropout ${config.dropout}`,
    `device: ${device.info.name}, ${device.info.detail}`,
    `memory: ${memoryText(memoryOfRun(setup, device), device.bytes)}, ${settings.precision}`,
    `data: ${count(info.instances)} instances, ${count(info.tokens)} tokens${info.masking === 'dynamic' ? ' a pass' : ''}; ` +
      (heldOut.length > 0
        ? `${count(heldOut.length)} held out, unigram baseline of MLM accuracy ${percent(setup.baseline)}`
        : 'nothing held out'),
    `step: ${count(batch)} instances, about ${count(Math.round(tokens))} tokens in ${micro === 1 ? 'a micro-batch' : `${count(micro)} micro-batches or more`}`,
    `schedule: ${optimizer.name}${optimizer.biasCorrection ? ' with bias correction' : ''}, rate ${schedule.peak}, ${count(schedule.warmup)} steps of warm-up, ${count(schedule.total)} steps in all`,
  ]
  if (setup.init) {
    const list = (names: readonly string[]) => (names.length > 0 ? names.join(', ') : 'none')
    lines.push(
      `start: weights of ${init}; not in it: ${list(setup.init.missing)}; not used: ${list(setup.init.ignored)}`,
    )
  }
  if (resume && !resumed) lines.push(startsAnew(out))
  if (resumed) {
    const { place, state } = resumed
    const moved = state.instances !== undefined && state.instances !== setup.instances
    lines.push(
      `resume: ${place.dir}${moved ? `; its instances were in ${state.instances}, now in ${setup.instances}` : ''}`,
    )
  }
  if (continued)
    lines.push(
      `start: weights and moments of ${continued.place.dir}, steps counted from 0; data ` +
        (continued.cursor ? 'go on where that run stood' : 'from their beginning'),
    )
  return lines
}

function conclude(result: PretrainResult, setup: PretrainSetup, out: string, json?: boolean): void {
  const { last, heldOut, best, step, interrupted } = result
  if (interrupted) process.exitCode = 130
  const object = {
    steps: step,
    loss: last?.loss ?? null,
    mlm_loss: last?.mlm ?? null,
    mlm_accuracy: last?.mlm_accuracy ?? null,
    sop_loss: last?.sop ?? null,
    sop_accuracy: last?.sop_accuracy ?? null,
    tokens_per_second: Math.round(result.tokensPerSecond),
    ...(result.skipped !== undefined && { skipped_steps: result.skipped }),
    heldout: heldOut
      ? {
          loss: heldOut.loss,
          mlm_loss: heldOut.mlm,
          mlm_accuracy: heldOut.mlmAccuracy,
          sop_loss: heldOut.sop,
          sop_accuracy: heldOut.sopAccuracy,
        }
      : null,
    unigram_accuracy: setup.heldOut.length > 0 ? setup.baseline : null,
    best_step: best?.step ?? null,
    interrupted,
    out,
  }
  printResult(json, object, () => {
    if (interrupted)
      return step === 0
        ? 'interrupted before the first step; the same command with --resume starts it'
        : `interrupted after step ${count(step)}; go on with the same command and --resume`
    const lines = [
      `${out}: ${count(step)} steps, loss ${last?.loss.toFixed(3)}${skippedText(result.skipped)}`,
    ]
    if (heldOut)
      lines.push(
        `held out: loss ${heldOut.loss.toFixed(3)}, MLM accuracy ${percent(heldOut.mlmAccuracy)} ` +
          `(unigram ${percent(setup.baseline)}), ${setup.stream.info.pairs.toUpperCase()} accuracy ${percent(heldOut.sopAccuracy)}`,
      )
    return lines.join('\n')
  })
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`
}
