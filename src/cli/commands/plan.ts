/** `plan`: the memory of a run, of pretraining or of a task, known before it starts, without taking any. */
import { Command, Option } from 'commander'
import type { Device } from '../../device/device.js'
import { openDevice } from '../../device/open.js'
import { UsageError } from '../../error.js'
import type { Graph } from '../../graph/graph.js'
import type { ParameterSet } from '../../graph/parameters.js'
import { type MemoryPlan, memoryOn } from '../../graph/runtime.js'
import { type ModelConfig, preset } from '../../model/config.js'
import type { FloatType } from '../../ops/shape.js'
import { taskNamed, taskNames } from '../../tasks/index.js'
import { usualPrograms } from '../../training/finetuning/programs.js'
import { availableMemory, UNKNOWN_MEMORY } from '../../training/memory.js'
import { DEFAULT_OPTIMIZER } from '../../training/optimizer.js'
import { refusePrecision } from '../../training/precision.js'
import { microBatchCapacity } from '../../training/pretraining/batch.js'
import { pretrainingPrograms } from '../../training/pretraining/programs.js'
import { type PretrainChoices, USUAL_OPTIMIZER } from '../../training/pretraining/settings.js'
import { addModelOptions, modelText } from '../model_options.js'
import { addShared, positiveInteger, type SharedOptions } from '../options.js'
import { bytes, count, printResult, table } from '../output.js'

interface Options
  extends Omit<PretrainChoices, 'precision'>,
    Pick<SharedOptions, 'device' | 'precision' | 'threads' | 'json'> {
  task?: string
  rows?: number
  sequences?: number
  masked?: number
  vocabulary: number
}

export function planCommand(): Command {
  const command = new Command('plan').description(
    'memory of a run of pretraining, or with --task of fine-tuning: parameters, gradients, moments, activations of one micro-batch',
  )
  addModelOptions(command)
    .addOption(new Option('--task <name>', 'of fine-tuning to it').choices(taskNames))
    .option('--rows <n>', 'tokens of a micro-batch (default: 4096, with --task 2048)', positiveInteger)
    .option('--sequences <n>', 'sequences of a micro-batch (default: as pretrain)', positiveInteger)
    .option(
      '--masked <n>',
      'masked tokens of a micro-batch (default: 20 in 512, as pretrain)',
      positiveInteger,
    )
    .option('--vocabulary <n>', 'pieces of the vocabulary', positiveInteger, 30000)
    .option('--recompute', 'compute activations again in the backward pass instead of keeping them')
    .addOption(new Option('--optimizer <name>').choices(['lamb', 'adamw']))
  return addShared(command, 'device', 'precision', 'threads', 'json').action(run)
}

async function run(options: Options): Promise<void> {
  const { preset: name, task, vocabulary, recompute = false, precision } = options
  const rows = options.rows ?? (task === undefined ? 4096 : 2048)
  if (name === undefined) throw new UsageError('which model? give --preset')
  const { embeddingSize, hiddenSize, layers, heads, intermediateSize, maxPositions } = options
  const overrides = { embeddingSize, hiddenSize, layers, heads, intermediateSize, maxPositions }
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined))
  const config = preset(name, vocabulary, given)
  const { parameters, graphs, sizes } = programs(options, config, rows)
  const device = await openDevice(options.device, { threads: options.threads, measure: false })
  const { memory, held, available } = await planned(device, precision, parameters, graphs).finally(() =>
    device.destroy(),
  )
  const working = held + memory.programBytes
  const total = memory.totalBytes + held
  const result = {
    parameters: memory.parameters,
    parameter_bytes: memory.parameterBytes,
    gradient_bytes: memory.gradientBytes,
    moment_bytes: memory.optimizerBytes,
    optimizer_bytes: memory.gradientBytes + memory.optimizerBytes,
    activation_bytes: memory.activationBytes,
    working_bytes: working,
    total_bytes: total,
    available_bytes: available ?? null,
    fits: available === undefined ? null : total <= available,
    task: task ?? null,
    ...sizes,
  }
  printResult(options.json, result, () => {
    const line = (what: string, size: number) => [what, bytes(size), count(size)]
    return [
      `${modelText(options)}, ${count(memory.parameters)} parameters; micro-batches of ${count(rows)} tokens, ` +
        `${sizesText(sizes)}, ${precision}${recompute ? ', recomputed' : ''}`,
      '',
      table(
        ['memory', 'size', 'bytes'],
        [
          line('parameters', memory.parameterBytes),
          line('gradients', memory.gradientBytes),
          line('moments', memory.optimizerBytes),
          line('activations', memory.activationBytes),
          line(`device (${options.device})`, working),
          line('total', total),
        ],
      ),
      '',
      available === undefined
        ? device.isMemoryUnknown
          ? 'how much memory the adapter has is not told by WebGPU'
          : UNKNOWN_MEMORY
        : `${bytes(available)} are available here: ${result.fits ? 'it fits' : 'it does not fit'}`,
    ].join('\n')
  })
}

/** What a run takes of a device, what the device holds already, and what it can still give, where that is known. */
async function planned(
  device: Device,
  precision: FloatType,
  parameters: ParameterSet,
  graphs: Readonly<Record<string, Graph>>,
): Promise<{ memory: MemoryPlan; held: number; available: number | undefined }> {
  refusePrecision(precision, device)
  const available = device.isMemoryUnknown ? undefined : (device.available ?? availableMemory())
  return { memory: memoryOn(device, parameters, graphs), held: device.bytes, available }
}

/** The programs of a run, and how large its micro-batches are. */
function programs(options: Options, config: ModelConfig, rows: number) {
  const { task, optimizer: wanted, recompute = false, precision } = options
  const maxLength = Math.min(512, config.maxPositions)
  if (task !== undefined) {
    const optimizer = { ...DEFAULT_OPTIMIZER, name: wanted ?? 'adamw' }
    const length = Math.min(taskNamed(task).maxLength, maxLength)
    const made = usualPrograms(taskNamed(task), config, { rows, maxLength: length }, optimizer, {
      recompute,
      precision,
      scaled: precision === 'f16',
    })
    return { ...made, sizes: { rows, max_length: length } }
  }
  const usual = microBatchCapacity(rows, rows, maxLength, 20)
  const sizes = {
    rows,
    sequences: options.sequences ?? usual.sequences,
    masked: options.masked ?? usual.masked,
  }
  const optimizer = { ...DEFAULT_OPTIMIZER, name: wanted ?? USUAL_OPTIMIZER[config.modelType] }
  return {
    ...pretrainingPrograms(config, sizes, optimizer, { recompute, precision, scaled: precision === 'f16' }),
    sizes,
  }
}

function sizesText(sizes: Readonly<Record<string, number>>): string {
  if ('max_length' in sizes) return `examples of up to ${count(sizes.max_length)}`
  return `${count(sizes.sequences)} sequences, ${count(sizes.masked)} masked`
}
