/** `predict`: applies a fine-tuned model to lines of text and prints what it finds. */
import { createReadStream } from 'node:fs'
import { Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { InputError, UsageError } from '../../error.js'
import { tasks } from '../../tasks/index.js'
import type { Task } from '../../tasks/task.js'
import { evaluateLines, loadTask, openTask } from '../../training/finetuning/model.js'
import { wantsColour } from '../colour.js'
import { addInferencePrecision, addShared, type InferenceOptions, integerWithin } from '../options.js'
import { note } from '../output.js'

interface Options extends InferenceOptions {
  model: string
  text?: string
  format?: string
  maxLength?: number
  entity: string
}

/** Lines that are labelled together. */
const LINES = 256

export function predictCommand(): Command {
  const command = new Command('predict')
    .description(
      'Applies a fine-tuned model to lines of text: FILE, --text, or standard input. The model knows its task. ' +
        `What a line is, and what is printed:\n${inputTexts()}\n` +
        'jsonl is an object for each line; offsets count Unicode characters. text is highlighted on a terminal.',
    )
    .argument('[file]', 'UTF-8 text; default: standard input')
    .requiredOption('--model <dir>', 'folder of the model (see: finetune)')
    .option('--text <text>', 'take this text')
    .option('--format <name>', 'what to print (default: text)')
    .option('--entity <name>', 'the TYPE of entities whose labels have none (B and I)', 'ENTITY')
    .option(
      '--max-length <n>',
      'most pieces of an example (default: as in training)',
      integerWithin(3, 65535),
    )
  return addShared(addInferencePrecision(command), 'device', 'threads', 'json').action(predict)
}

/** `entities: a paragraph; text, jsonl, conll`, a line a task. */
function inputTexts(): string {
  return tasks.map(({ name, input, formats }) => `  ${name}: ${input}; ${formats.join(', ')}`).join('\n')
}

async function predict(file: string | undefined, options: Options): Promise<void> {
  const { model, text, json, maxLength, entity } = options
  if (file !== undefined && text !== undefined) throw new UsageError('want either FILE or --text')
  if (json && options.format !== undefined && options.format !== 'jsonl')
    throw new UsageError(`--json and --format ${options.format} contradict each other`)
  const folder = openTask(model, { maxLength })
  const { task, context } = folder
  const format = formatOf(task, options.format ?? (json ? 'jsonl' : task.formats[0]))
  const print = task.printer({ format, colour: wantsColour(process.stdout), entity })
  if (file === undefined && text === undefined && process.stdin.isTTY)
    note(`reading standard input; a line is ${task.input}, Ctrl-D ends it`)
  const device = await openDevice(options.device, { threads: options.threads })
  try {
    const predictor = await loadTask(folder, device, options.precision)
    const place = file ?? (text === undefined ? 'standard input' : '--text')
    let waiting: { text: string; items: unknown[] }[] = []
    const flush = async () => {
      const parsed = waiting
      waiting = []
      const answers = await evaluateLines(
        predictor,
        task,
        parsed.map(({ items }) => items),
        context,
      )
      for (const [i, { text, items }] of parsed.entries()) await write(print(text, items, answers[i]))
    }
    let line = 0
    for await (const one of text === undefined ? readLines(file) : text.split(/\r?\n/)) {
      waiting.push({ text: one, items: task.parse(one, { file: place, line: ++line }, context) })
      if (waiting.length === LINES) await flush()
    }
    await flush()
  } finally {
    await device.destroy()
  }
}

function formatOf({ name, formats }: Task, wanted: string): string {
  if (!formats.includes(wanted))
    throw new UsageError(`--format is ${wanted} (want one of ${formats.join(', ')} for ${name})`)
  return wanted
}

/** Writes, and waits where the reader of standard output is slower than we are. */
async function write(text: string): Promise<void> {
  if (text === '' || process.stdout.write(text)) return
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
}

/** Lines of a file or of standard input, without their ends. Throws an InputError for bytes that are no UTF-8. */
async function* readLines(file: string | undefined): AsyncGenerator<string> {
  let line = 0
  const decode = (bytes: Uint8Array): string => {
    line++
    try {
      // A byte order mark is one at the beginning only.
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: line > 1 }).decode(bytes)
      return text.endsWith('\r') ? text.slice(0, -1) : text
    } catch {
      const found = 'bytes that are not UTF-8'
      throw new InputError({ file: file ?? 'standard input', line, found, expected: 'UTF-8 text' })
    }
  }
  const source: AsyncIterable<Buffer> = file === undefined ? process.stdin : createReadStream(file)
  let rest: Buffer[] = []
  for await (const chunk of source) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield decode(Buffer.concat([...rest, chunk.subarray(start, end)]))
      rest = []
      start = end + 1
    }
    if (start < chunk.length) rest.push(chunk.subarray(start))
  }
  if (rest.length > 0) yield decode(Buffer.concat(rest))
}
