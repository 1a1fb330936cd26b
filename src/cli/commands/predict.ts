/** `predict`: applies a fine-tuned model to lines of text, or to files and folders of documents, and writes what it finds. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { type Fault, Unwritable } from '../../data/documents/format.js'
import { documentFormats, formatNamed, readable } from '../../data/documents/index.js'
import { type Inputs, listInputs, standardInput, textInput } from '../../data/documents/inputs.js'
import { COUNTINGS, type Counting } from '../../data/documents/offsets.js'
import { DocumentOutput, type Totals } from '../../data/documents/output.js'
import { readDocuments } from '../../data/documents/read.js'
import { openDevice } from '../../device/open.js'
import { UsageError, UserError } from '../../error.js'
import { tasks } from '../../tasks/index.js'
import type { Task } from '../../tasks/task.js'
import { type Predicted, predictDocuments } from '../../training/finetuning/documents.js'
import { loadTask, type TaskFolder } from '../../training/finetuning/model.js'
import { openTask } from '../../training/finetuning/model_node.js'
import { wantsColour } from '../colour.js'
import { formatOfFile, formatsOf, openWriter, type PredictionWriter } from '../document_writers.js'
import { addInferencePrecision, addShared, type InferenceOptions, integerWithin } from '../options.js'
import { count, note, printResult } from '../output.js'
import { type PredictionProgress, predictionProgress } from '../prediction_progress.js'

interface Options extends InferenceOptions {
  model: string
  text?: string
  format?: string
  inputFormat?: string
  out?: string
  replace?: boolean
  biocOffsets: Counting
  maxLength?: number
  entity: string
}

export function predictCommand(): Command {
  const command = new Command('predict')
    .summary('apply a fine-tuned model to text or documents')
    .description(
      'Applies a fine-tuned model to files and folders (all below them), --text, or standard input. The model knows its ' +
        `task. What it takes of a line, and what is written:\n${inputTexts()}\n` +
        `Files may also be documents, told by their first bytes, gzip or not:\n${formatTexts()}\n` +
        'Offsets count Unicode characters of the text; passages (title, abstract) are one character apart. What the input ' +
        'says of entities is kept as it is and what is found stands beside it, in BioC under ids P1, P2, ...; --replace ' +
        'drops entities of the input, in BioC with the relations between them. A document that cannot be read is named and ' +
        'left out, and the exit status is 1.',
    )
    .argument('[paths...]', 'files and folders; default: standard input')
    .requiredOption('--model <dir>', 'folder of the model (see: finetune)')
    .option('--text <text>', 'take this text')
    .option('--format <name>', 'what to write (default: by the ending of --out, or text)')
    .addOption(
      new Option('--input-format <name>', 'what the files are, instead of looking').choices(
        readable.map(({ name }) => name),
      ),
    )
    .option('--out <path>', 'file to write, a folder for brat; a run that was ended goes on where it was')
    .option('--replace', 'drop entities that the input has')
    .addOption(
      new Option('--bioc-offsets <unit>', "how BioC's offsets count; its DTD says bytes, most files do not")
        .choices(COUNTINGS)
        .default('characters'),
    )
    .option('--entity <name>', 'the TYPE of entities whose labels have none (B and I)', 'ENTITY')
    .option(
      '--max-length <n>',
      'most pieces of an example (default: as in training)',
      integerWithin(3, 65535),
    )
  return addShared(addInferencePrecision(command), 'device', 'threads', 'json', 'quiet').action(predict)
}

/** `entities: a paragraph; text, jsonl, conll`, a line a task. */
function inputTexts(): string {
  return tasks.map((task) => `  ${task.name}: ${task.input}; ${formatsOf(task).join(', ')}`).join('\n')
}

function formatTexts(): string {
  return documentFormats
    .map(
      ({ name, summary, reader }) => `  ${name}: ${summary}${reader === undefined ? ' (written only)' : ''}`,
    )
    .join('\n')
}

async function predict(paths: string[], options: Options): Promise<void> {
  checkOptions(paths, options)
  const folder = openTask(options.model, { maxLength: options.maxLength })
  const { task } = folder
  const inputFormat = inputFormatOf(task, options.inputFormat)
  const format = options.format ?? wantedFormat(task, options)
  const writer = openWriter({
    ...options,
    task,
    format,
    labels: folder.context.labels,
    colour: options.out === undefined && wantsColour(process.stdout),
    counting: options.biocOffsets,
    replace: options.replace ?? false,
  })
  if (writer.folder && options.out === undefined)
    throw new UsageError(`${format} is a folder of files: want --out DIR`)
  const inputs = inputsOf(paths, options, task)
  const output = openOutput(inputs, folder, format, writer, options)
  let compiling: PredictionProgress['compiling'] | undefined
  const device = await openDevice(options.device, {
    threads: options.threads,
    compiling: (done, total) => compiling?.(done, total),
  })
  const bar = predictionProgress(inputs.inputs, {
    quiet: options.quiet,
    talks: isTalking(options),
    done: output?.done.documents,
  })
  compiling = bar.compiling
  try {
    const predictor = await loadTask(folder, device, options.precision)
    const reads = readDocuments(inputs.inputs, {
      counting: options.biocOffsets,
      format: inputFormat === undefined ? undefined : formatNamed(inputFormat),
      onBytes: (bytes) => bar.read(bytes),
    })
    const batches = predictDocuments(reads, {
      predictor,
      task,
      context: folder.context,
      entity: options.entity,
      skip: output?.done.records,
      onSkipped: (read) => writer.passed?.(read),
    })
    const totals = await writeAll(batches, writer, output, bar)
    bar.stop()
    if (options.out !== undefined) {
      const text = `${options.out}: ${count(totals.documents)} documents, ${count(totals.found)} found in them`
      printResult(options.json, { out: options.out, format, ...totals, left_out: inputs.leftOut }, text)
    }
    if (totals.failed > 0)
      throw new UserError(`${count(totals.failed)} of ${count(totals.records)} documents failed, see above`)
  } finally {
    bar.stop()
    await device.destroy()
  }
}

/** Every document in its order; what fails is told. */
async function writeAll(
  batches: AsyncIterable<Predicted[]>,
  writer: PredictionWriter,
  output: DocumentOutput | undefined,
  bar: PredictionProgress,
): Promise<Totals> {
  const totals = { ...(output?.done ?? { records: 0, documents: 0, failed: 0, found: 0 }) }
  const put = async (text: ReturnType<PredictionWriter['document']>) => {
    if (output !== undefined) output.add(text)
    else if (typeof text === 'string') await write(text)
  }
  const fail = (file: string, fault: Fault) => {
    totals.failed++
    bar.complain(faultText(file, fault))
  }
  let begun = totals.records > 0
  for await (const batch of batches) {
    if (!begun) await put(writer.head(batch[0].around))
    begun = true
    for (const predicted of batch) {
      totals.records++
      if (predicted.kind === 'fault') {
        fail(predicted.file, predicted.fault)
        continue
      }
      try {
        await put(writer.document(predicted))
      } catch (error) {
        if (!(error instanceof Unwritable)) throw error
        const { found, expected } = error
        fail(predicted.file, { line: predicted.line, id: predicted.document.id, found, expected })
        continue
      }
      totals.documents++
      totals.found += foundIn(predicted)
    }
    output?.checkpoint(totals)
    bar.update(totals.documents)
  }
  if (!begun) await put(writer.head())
  if (output !== undefined) await output.finish(totals, writer.foot())
  else await write(writer.foot())
  return totals
}

function foundIn({ found, labels }: Extract<Predicted, { kind: 'document' }>): number {
  const applying = (labels ?? []).filter(({ applies }) => applies).length
  return found.reduce((sum, list) => sum + list.length, applying)
}

/** `FILE:LINE: document ID: found ..., expected ...`; a byte where lines say little. */
function faultText(file: string, { line, byte, id, found, expected }: Fault): string {
  const place = line !== undefined ? `${file}:${line}` : byte !== undefined ? `${file}: byte ${byte}` : file
  return `${place}: ${id === undefined ? '' : `document ${id}: `}found ${found}, expected ${expected}`
}

function checkOptions(paths: readonly string[], { text, json, format, out, replace }: Options): void {
  if (paths.length > 0 && text !== undefined) throw new UsageError('want either FILE or --text')
  if (json && out === undefined && format !== undefined && format !== 'jsonl')
    throw new UsageError(`--json and --format ${format} contradict each other`)
  if (replace && (format === 'text' || format === 'conll'))
    throw new UsageError(`--replace says nothing to ${format}, which has what is found alone`)
}

function wantedFormat({ formats }: Task, { json, out }: Options): string {
  return (out === undefined ? undefined : formatOfFile(out)) ?? (json ? 'jsonl' : formats[0])
}

/** A task of lines takes text, whatever it looks like. */
function inputFormatOf(task: Task, asked: string | undefined): string | undefined {
  if (task.documents !== undefined) return asked
  if (asked !== undefined && asked !== 'text') {
    const able = tasks.filter(({ documents }) => documents !== undefined).map(({ name }) => name)
    throw new UsageError(
      `--input-format is ${asked}, but a model for ${task.name} takes lines of text (${task.input}); ${able.join(' and ')} take documents`,
    )
  }
  return 'text'
}

function inputsOf(paths: readonly string[], { text, inputFormat, quiet }: Options, task: Task): Inputs {
  if (text !== undefined) return { inputs: [textInput(text, '--text')], leftOut: 0 }
  if (paths.length === 0) {
    if (process.stdin.isTTY) note(`reading standard input; a line is ${task.input}, Ctrl-D ends it`)
    return { inputs: [standardInput()], leftOut: 0 }
  }
  const listed = listInputs(paths, inputFormat !== undefined)
  if (listed.inputs.length === 0) throw new UserError(`${paths.join(', ')}: found no documents`)
  if (listed.leftOut > 0) note(`${count(listed.leftOut)} files are of no format, and left out`, quiet)
  return listed
}

/** Where --out asks for one. What its bytes depend on has to be the same for a run to go on. */
function openOutput(
  { inputs }: Inputs,
  { model, context }: TaskFolder,
  format: string,
  writer: PredictionWriter,
  options: Options,
): DocumentOutput | undefined {
  const { out, entity, biocOffsets, inputFormat, precision, replace, quiet } = options
  if (out === undefined) return undefined
  const facts = {
    inputs: inputs.map(({ name, bytes, changed }) => [name, bytes, changed]),
    model: modelFiles(model.dir),
    options: { format, entity, biocOffsets, inputFormat, precision, replace, maxLength: context.maxLength },
  }
  const resumable = inputs.every(({ bytes }) => bytes !== undefined)
  const output = new DocumentOutput(out, facts, writer.folder, resumable)
  const { records } = output.done
  if (records > 0) note(`${out}: going on behind ${count(records)} documents`, quiet)
  return output
}

/** Names, sizes and times of a model's files. */
function modelFiles(dir: string): [string, number, number][] {
  return readdirSync(dir)
    .sort()
    .map((name) => {
      const { size, mtimeMs } = statSync(join(dir, name))
      return [name, size, mtimeMs]
    })
}

/** A person reads along: results on a terminal need no progress beside them. */
function isTalking({ out }: Options): boolean {
  return out === undefined && process.stdout.isTTY === true
}

/** Writes, and waits where the reader of standard output is slower than we are. */
async function write(text: string): Promise<void> {
  if (text === '' || process.stdout.write(text)) return
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
}
