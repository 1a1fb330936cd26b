/** `profile`: where the time of a step goes, kernel by kernel, on made-up data; as a table, a trace, a roofline. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Argument, Command, Option } from 'commander'
import type { Device } from '../../device/device.js'
import { openDevice } from '../../device/open.js'
import { UsageError } from '../../error.js'
import { writeFileAtomic } from '../../files.js'
import { PRESETS } from '../../model/config.js'
import { type KernelRow, type Profile, summarize } from '../../profile/profile.js'
import { rooflineSvg } from '../../profile/roofline.js'
import { type Recording, record } from '../../profile/run.js'
import { buildTrace } from '../../profile/trace.js'
import { KINDS, type Kind, makeWorkload, type Workload } from '../../profile/workload.js'
import { taskNames } from '../../tasks/index.js'
import { refusePrecision } from '../../training/precision.js'
import { memoryText, warnOfUnknownMemory } from '../model_options.js'
import { addInferencePrecision, addShared, type InferenceOptions, positiveInteger } from '../options.js'
import { count, note, printResult, table } from '../output.js'
import { compilingBar, type Progress, progress } from '../progress.js'

interface Options
  extends Pick<InferenceOptions, 'device' | 'precision' | 'threads' | 'seed' | 'json' | 'quiet'> {
  task?: string
  preset?: string
  model?: string
  vocabulary: number
  rows: number
  length?: number
  steps: number
  recompute?: boolean
  by: 'kernel' | 'label'
  trace?: string
  roofline?: string
}

export function profileCommand(): Command {
  const command = new Command('profile')
    .description(
      'Where the time of a step goes: calls, time, operations and bytes a second of every kernel, against the ' +
        'peaks of this machine, which are measured first. Data are made up from the seed.',
    )
    .addArgument(new Argument('<kind>', 'what a step is').choices(KINDS))
    .addOption(
      new Option('--task <name>', 'what is fine-tuned or applied (default: entities)').choices(taskNames),
    )
    .addOption(new Option('--preset <name>', 'sizes of the model, with random weights').choices(PRESETS))
    .option('--model <dir>', 'sizes and weights of a model folder')
    .option('--vocabulary <n>', 'pieces of the vocabulary with --preset', positiveInteger, 30000)
    .option('--rows <n>', 'tokens of a step', positiveInteger, 1024)
    .option(
      '--length <n>',
      'tokens of a sequence (default: 128, or the positions of the model)',
      positiveInteger,
    )
    .option('--steps <n>', 'steps to record, after two that warm up', positiveInteger, 5)
    .option('--recompute', 'compute activations again in the backward pass instead of keeping them')
    .addOption(
      new Option('--by <what>', 'a row for each kernel, or for each place in the model that calls one')
        .choices(['kernel', 'label'])
        .default('kernel'),
    )
    .option('--trace <file>', 'write a trace that ui.perfetto.dev opens (JSON)')
    .option('--roofline <file>', 'draw the kernels under the roofs of this machine (SVG)')
  return addShared(addInferencePrecision(command), 'device', 'threads', 'seed', 'json', 'quiet').action(run)
}

async function run(kind: Kind, options: Options): Promise<void> {
  const { trace, roofline, rows, steps, by } = options
  for (const file of [trace, roofline]) if (file !== undefined) refuseNoFolder(file)
  const workload = makeWorkload({ ...options, kind, recompute: options.recompute ?? false })
  const device = await openDevice(options.device, {
    threads: options.threads,
    compiling: compilingBar({ quiet: options.quiet }),
  })
  try {
    refusePrecision(options.precision, device)
    warnOfUnknownMemory()
    note(`profiling ${steps} steps on ${device.info.detail}`, options.quiet)
    const recording = await recordWithBar(workload, device, options)
    const { program, peaks } = recording
    const { sizes } = workload
    const profile = summarize({ program, sizes, steps: recording.steps, tokens: rows, peaks, by })
    const what = `${[kind, options.task].join(' ').trim()} ${options.preset ?? options.model}, ${options.precision}, ${count(rows)} tokens`
    const title = `${what}, ${device.info.detail}`
    if (trace !== undefined) {
      const facts = {
        ...device.info.facts,
        kind,
        task: options.task ?? '',
        rows,
        sequences: workload.sequences,
      }
      writeFileAtomic(trace, `${JSON.stringify(buildTrace(program, sizes, recording.steps, facts))}\n`)
    }
    if (roofline !== undefined) {
      if (!peaks) throw new UsageError(`--roofline needs peaks, which ${device.info.name} cannot measure`)
      writeFileAtomic(roofline, await rooflineSvg(profile.kernels, peaks, what, device.info.detail))
    }
    printResult(options.json, summary(options, workload, device, recording, profile), () =>
      [title, '', text(profile, by), '', ...lines(workload, device, recording, profile)].join('\n'),
    )
  } finally {
    await device.destroy()
  }
}

/** Shows the steps as they go, those that warm up among them, from the moment that the first is there. */
async function recordWithBar(
  workload: Workload,
  device: Device,
  { steps, quiet }: Options,
): Promise<Recording> {
  let bar: Progress | undefined
  try {
    return await record(workload, device, steps, (done, total) => {
      bar ??= progress({ label: 'profile', unit: 'steps', total, done, quiet })
      bar.update(done)
    })
  } finally {
    bar?.stop()
  }
}

function refuseNoFolder(file: string): void {
  const folder = dirname(file)
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`${file}: ${folder} is no folder`)
}

const round = (value: number | undefined, digits: number) =>
  value === undefined ? null : Number(value.toFixed(digits))

function summary(
  { preset, model, precision, recompute, steps, by, rows }: Options,
  workload: Workload,
  device: Device,
  { peaks, memory, workingBytes }: Recording,
  profile: Profile,
): Record<string, unknown> {
  return {
    model: preset ?? model,
    device: device.info.detail,
    timeline_clock: device.timelineClock,
    rows,
    sequences: workload.sequences,
    recompute: recompute ?? false,
    steps,
    by,
    precision,
    peak_gflops: round(peaks?.gflops, 1),
    peak_bf16_gflops: round(peaks?.bf16, 1),
    peak_int8_gflops: round(peaks?.int8, 1),
    peak_gigabytes_per_second: round(peaks?.gigabytes, 2),
    mfu: round(profile.mfu, 4),
    tokens_per_second: round(profile.tokensPerSecond, 1),
    gflops: round(profile.gflops, 2),
    step_ms: profile.ms,
    kernel_ms: profile.kernelMs,
    outside_ms: profile.outsideMs,
    step_flops: profile.flops,
    step_model_flops: profile.modelFlops,
    step_bytes: profile.bytes,
    kernels: profile.kernels.map((k) => ({
      name: k.name,
      calls: k.calls,
      ms: k.ms,
      share: k.share,
      gflops: round(k.gflops, 3),
      gbps: round(k.gbps, 3),
      percent_of_peak: round(k.percentOfPeak, 2),
      roof: k.roof ?? null,
      intensity: round(k.intensity, 3),
    })),
    memory: {
      parameter_bytes: memory.parameterBytes,
      gradient_bytes: memory.gradientBytes,
      moment_bytes: memory.optimizerBytes,
      operand_bytes: memory.operandBytes,
      activation_bytes: memory.activationBytes,
      working_bytes: workingBytes,
      total_bytes: memory.totalBytes + workingBytes,
    },
  }
}

function text(profile: Profile, by: Options['by']): string {
  const cells = (k: KernelRow) => [
    k.name,
    Number(k.calls.toFixed(1)),
    k.ms.toFixed(3),
    `${k.share.toFixed(1)}%`,
    k.flops > 0 ? k.gflops.toFixed(1) : '',
    k.gbps.toFixed(1),
    k.percentOfPeak === undefined ? '' : `${k.percentOfPeak.toFixed(0)}%`,
    k.roof ?? '',
  ]
  const header = [by, 'calls', 'ms', 'share', 'GFLOP/s', 'GB/s', 'of peak', 'bound by']
  return table(header, profile.kernels.map(cells))
}

function lines(
  { sequences, length }: Workload,
  device: Device,
  { peaks, memory, workingBytes }: Recording,
  p: Profile,
): string[] {
  const giga = (value: number) => (value / 1e9).toFixed(2)
  const percent = (value: number) => `${(100 * value).toFixed(1)}%`
  return [
    `step      ${p.ms.toFixed(2)} ms, ${count(Math.round(p.tokensPerSecond))} tokens/s (${count(sequences)} sequences of up to ${length})`,
    `work      ${giga(p.flops)} GFLOP, of the model ${giga(p.modelFlops)}; ${giga(p.bytes)} GB; ${p.gflops.toFixed(1)} GFLOP/s` +
      (p.mfu === undefined ? '' : `, MFU ${percent(p.mfu)}`),
    `outside   ${p.outsideMs.toFixed(2)} ms of a step (${percent(p.outsideMs / p.ms)}) are not in kernels`,
    peaks
      ? `peaks     ${peaks.gflops.toFixed(0)} GFLOP/s, of bf16 ${peaks.bf16.toFixed(0)}, of 8-bit integers ${peaks.int8.toFixed(0)}, copy ${peaks.gigabytes.toFixed(1)} GB/s, measured now; above 100% of memory: served by caches`
      : `peaks     cannot be measured on ${device.info.name}, so there is no share of them`,
    `memory    ${memoryText(memory, workingBytes)}`,
    ...(device.timelineClock === 'host'
      ? [
          'note      the adapter has no timestamps: every call was submitted and awaited by itself, which its time includes',
        ]
      : []),
  ]
}
