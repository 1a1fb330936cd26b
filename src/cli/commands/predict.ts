/** `predict`: labels raw text and prints it with highlights, as JSON lines, or as CoNLL columns. */
import { createReadStream } from 'node:fs'
import { Command, Option } from 'commander'
import { openDevice } from '../../device/open.js'
import { InputError, UsageError } from '../../error.js'
import { loadTagger, openTaggerFolder } from '../../training/finetuning/model.js'
import { joinSentences, type LabelledLine, labelLines } from '../../training/finetuning/text.js'
import { conllRows, type HighlightOptions, highlighter, jsonLine, wantsColour } from '../highlight.js'
import { addInferencePrecision, addShared, type InferenceOptions, integerWithin } from '../options.js'
import { note } from '../output.js'

const FORMATS = ['text', 'jsonl', 'conll'] as const

interface Options extends InferenceOptions {
  model: string
  text?: string
  format?: (typeof FORMATS)[number]
  maxLength?: number
  entity?: string
}

/** Lines that are labelled together. */
const LINES = 256

export function predictCommand(): Command {
  const command = new Command('predict')
    .description(
      'Labels the entities of a text: FILE, --text, or standard input. Every line is a paragraph. Formats: text ' +
        '(highlighted on a terminal, [entity](TYPE) elsewhere), jsonl (an object for each line: text, and entities ' +
        'with start and end in Unicode characters, type, text, score), conll (a word and its tag on a line).',
    )
    .argument('[file]', 'UTF-8 text; default: standard input')
    .requiredOption('--model <dir>', 'folder of the model (see: finetune ner)')
    .option('--text <text>', 'label this text')
    .addOption(new Option('--format <name>', 'what to print').choices(FORMATS))
    .option('--entity <name>', 'the TYPE where labels have none (B and I)', 'ENTITY')
    .option('--max-length <n>', 'most pieces of a window (default: as in training)', integerWithin(3, 65535))
  return addShared(addInferencePrecision(command), 'device', 'threads', 'json').action(predict)
}

async function predict(file: string | undefined, options: Options): Promise<void> {
  const { model, text, json } = options
  if (file !== undefined && text !== undefined) throw new UsageError('want either FILE or --text')
  if (json && options.format !== undefined && options.format !== 'jsonl')
    throw new UsageError(`--json and --format ${options.format} contradict each other`)
  const format = options.format ?? (json ? 'jsonl' : 'text')
  const folder = openTaggerFolder(model, options.maxLength)
  const print = printer(format, { entityName: options.entity })
  if (file === undefined && text === undefined && process.stdin.isTTY)
    note('reading standard input; a line is a paragraph, Ctrl-D ends it')
  const device = await openDevice(options.device, { threads: options.threads })
  try {
    const tagger = await loadTagger(folder, device, options.precision)
    let waiting: string[] = []
    const flush = async () => {
      for (const line of await labelLines(tagger, waiting)) await write(print(line))
      waiting = []
    }
    for await (const line of text === undefined ? readLines(file) : text.split(/\r?\n/)) {
      waiting.push(line)
      if (waiting.length === LINES) await flush()
    }
    await flush()
  } finally {
    await device.destroy()
  }
}

function printer(format: (typeof FORMATS)[number], names: HighlightOptions): (line: LabelledLine) => string {
  if (format === 'conll')
    return ({ text, sentences }) =>
      sentences.map(({ words, tags }) => conllRows({ text, words, tags })).join('')
  if (format === 'jsonl') return (line) => `${jsonLine(joinSentences(line), names)}\n`
  const highlight = highlighter(wantsColour(process.stdout), names)
  return (line) => `${highlight(joinSentences(line))}\n`
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
