/** `export`: a model folder as others read it: a folder of Hugging Face's, or an ONNX file. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../../error.js'
import { makeFolder, refuseExisting } from '../../files.js'
import { writeOnnx } from '../../model/formats/onnx.js'
import { OPSETS, onnxModel } from '../../model/formats/onnx_model.js'
import { exportFolder } from '../../model/hub_folder.js'
import { readWholeModel, type WholeModel } from '../../model/whole_model.js'
import { addShared, integerWithin, type SharedOptions } from '../options.js'
import { bytes as byteText, count, duration, note, printResult } from '../output.js'
import { progress } from '../progress.js'

const TARGETS = ['huggingface', 'onnx'] as const

interface Options extends Pick<SharedOptions, 'json' | 'quiet'> {
  model: string
  to: (typeof TARGETS)[number]
  out: string
  maxShardSize?: number
  opset?: number
  externalData?: boolean
}

/** As transformers has it. */
const SHARD_BYTES = 5e9
const OPSET = 17

export function exportCommand(): Command {
  const command = new Command('export')
    .description(
      'Writes a model for other programs, in f32. huggingface: a folder that transformers loads by from_pretrained, whatever form ' +
        'the weights had. onnx: a file for ONNX Runtime, for any number of sequences of any length up to what the model ' +
        'has positions for, with the outputs that transformers names; padding is what attention_mask says.',
    )
    .requiredOption('--model <dir>', 'folder of the model')
    .addOption(new Option('--to <form>', 'what to write').choices(TARGETS).makeOptionMandatory())
    .requiredOption('--out <path>', 'folder (huggingface) or file (onnx) to write, which must not exist')
    .option(
      '--max-shard-size <size>',
      'huggingface: largest file of weights, such as 500MB or 2GiB (default: 5GB)',
      byteSize,
    )
    .option(
      '--opset <n>',
      `onnx: operator set, ${OPSETS.first} to ${OPSETS.last} (default: ${OPSET})`,
      integerWithin(OPSETS.first, OPSETS.last),
    )
    .option('--external-data', 'onnx: weights in FILE.data, as always from 2 GiB on')
  return addShared(command, 'quiet', 'json').action(runExport)
}

async function runExport(options: Options): Promise<void> {
  const { model: dir, to, out, maxShardSize, opset, externalData, quiet } = options
  if (to === 'onnx' && maxShardSize !== undefined)
    throw new UsageError('--max-shard-size is for --to huggingface (an ONNX file has --external-data)')
  if (to === 'huggingface' && (opset !== undefined || externalData))
    throw new UsageError(`${opset !== undefined ? '--opset' : '--external-data'} is for --to onnx`)
  if (to === 'huggingface') refuseExisting(out)
  else if (existsSync(out)) throw new UsageError(`${out}: is there already; remove it or name another`)
  const started = performance.now()
  const model = readWholeModel(dir)
  if (model.ignored.length > 0)
    note(`left out, since ${model.architecture} has no use for it: ${model.ignored.join(', ')}`, quiet)
  const bar = progress({ label: 'writing', unit: 'bytes', total: 4 * model.parameters.count, quiet })
  const update = (done: number) => bar.update(Math.min(done, 4 * model.parameters.count))
  try {
    if (to === 'huggingface') await toFolder(model, options, started, update)
    else await toOnnx(model, options, started, update)
  } finally {
    bar.stop()
  }
}

async function toFolder(
  model: WholeModel,
  { out, maxShardSize = SHARD_BYTES, json }: Options,
  started: number,
  update: (done: number) => void,
): Promise<void> {
  const { files, bytes, missing } = await exportFolder(out, model, maxShardSize, update)
  const seconds = (performance.now() - started) / 1000
  const result = {
    out,
    to: 'huggingface',
    architecture: model.architecture,
    parameters: model.parameters.count,
    files,
    bytes,
    seconds,
  }
  printResult(json, result, () =>
    [
      `${out}: ${model.architecture}, ${count(model.parameters.count)} parameters, ${byteText(bytes)}`,
      ...files.map((file) => `  ${file}`),
      ...missing.map((file) => `without ${file}: the model's folder has none`),
      duration(seconds),
    ].join('\n'),
  )
}

async function toOnnx(
  model: WholeModel,
  { out, opset = OPSET, externalData, json }: Options,
  started: number,
  update: (done: number) => void,
): Promise<void> {
  const onnx = onnxModel(model, opset)
  makeFolder(dirname(out))
  const { files, bytes } = await writeOnnx(out, onnx, { external: externalData, progress: update })
  const seconds = (performance.now() - started) / 1000
  const result = {
    out,
    to: 'onnx',
    architecture: model.architecture,
    parameters: model.parameters.count,
    opset,
    inputs: onnx.inputs,
    outputs: onnx.outputs,
    nodes: onnx.nodes.length,
    files,
    bytes,
    seconds,
  }
  const values = (list: typeof onnx.inputs) =>
    list.map(({ name, dims }) => `${name} [${dims.join(', ')}]`).join(', ')
  printResult(json, result, () =>
    [
      `${out}: ${model.architecture}, ${count(model.parameters.count)} parameters, ${byteText(bytes)}`,
      `operator set ${opset}, ${count(onnx.nodes.length)} nodes`,
      `inputs: ${values(onnx.inputs)}`,
      `outputs: ${values(onnx.outputs)}`,
      ...(files.length > 1 ? [`weights in ${files[0]}, to be kept beside it`] : []),
      duration(seconds),
    ].join('\n'),
  )
}

/** `500MB`, `2GiB`, or a number of bytes. */
function byteSize(text: string): number {
  const units: Record<string, number> = {
    '': 1,
    KB: 1e3,
    MB: 1e6,
    GB: 1e9,
    KIB: 2 ** 10,
    MIB: 2 ** 20,
    GIB: 2 ** 30,
  }
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMG]I?B)?$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * units[unit.toUpperCase()])
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw new InvalidArgumentError('Expected a size above 0, such as 500MB, 5GB or 2GiB.')
}
