/** `evaluate`: scores a fine-tuned model on a labelled file. */
import { Argument, Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { checkTags } from '../../tasks/entities/folder.js'
import { writePredictions } from '../../tasks/entities/predictions.js'
import { readNer } from '../../tasks/entities/reader.js'
import { loadTagger, nerSummary, openTaggerFolder, scoreFile } from '../../training/finetuning/model.js'
import { addInferencePrecision, addShared, type InferenceOptions, integerWithin } from '../options.js'
import { duration, printResult } from '../output.js'
import { progress } from '../progress.js'
import { schemeText, scoreTable } from './finetune.js'

const TASKS = ['ner'] as const

interface Options extends InferenceOptions {
  data: string
  model: string
  out?: string
  maxLength?: number
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Scores a fine-tuned model on a labelled file. Every word of the file is scored.')
    .addArgument(new Argument('<task>', 'what the model does').choices(TASKS))
    .requiredOption('--data <file>', 'labelled sentences: a word and its tag on a line')
    .requiredOption('--model <dir>', 'folder of the model (see: finetune)')
    .option('--out <file>', 'write words, tags and predicted tags there, in IOB2')
    .option('--max-length <n>', 'most pieces of a window (default: as in training)', integerWithin(3, 65535))
  return addShared(addInferencePrecision(command), 'device', 'threads', 'quiet', 'json').action(
    (task: (typeof TASKS)[number], options: Options) => evaluate(task, options),
  )
}

async function evaluate(task: (typeof TASKS)[number], options: Options): Promise<void> {
  const { data, model, out, json, quiet } = options
  const started = performance.now()
  const folder = openTaggerFolder(model, options.maxLength)
  const file = readNer(data)
  checkTags(file, folder.labels, `a label of ${model}`)
  const device = await openDevice(options.device, { threads: options.threads })
  const bar = progress({
    label: 'evaluate ner',
    unit: 'words',
    total: file.sentences.reduce((n, { words }) => n + words.length, 0),
    quiet,
  })
  try {
    const tagger = await loadTagger(folder, device, options.precision)
    const { scores, tags } = await scoreFile(tagger, file, undefined, (words) => bar.increment(words))
    bar.stop()
    if (out !== undefined) writePredictions(out, file.sentences, tags)
    const test = nerSummary(scores)
    const seconds = (performance.now() - started) / 1000
    const { scheme } = file
    printResult(json, { task, metric: 'f1', data, model, scheme: scheme ?? null, test, out, seconds }, () =>
      [
        scoreTable({ [data]: test }),
        `tags of ${data}: ${scheme === undefined ? 'O alone' : schemeText(scheme)}`,
        ...(out === undefined ? [] : [`predictions in ${out}, in IOB2`]),
        duration(seconds),
      ].join('\n'),
    )
  } finally {
    bar.stop()
    await device.destroy()
  }
}
