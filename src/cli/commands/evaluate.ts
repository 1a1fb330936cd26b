/** `evaluate`: scores a fine-tuned model on a labelled file. */
import { dirname } from 'node:path'
import { Argument, Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { makeFolder, writeFileAtomic } from '../../files.js'
import { taskNames } from '../../tasks/index.js'
import { evaluateSplit, loadTask } from '../../training/finetuning/model.js'
import { openTask } from '../../training/finetuning/model_node.js'
import { addInferencePrecision, addShared, type InferenceOptions, integerWithin } from '../options.js'
import { duration, printResult } from '../output.js'
import { progress } from '../progress.js'
import { scoreTable } from './finetune.js'

interface Options extends InferenceOptions {
  data: string
  model: string
  out?: string
  maxLength?: number
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description(
      'Scores a fine-tuned model on a labelled file, as a data set of its task has them. All of the file is scored.',
    )
    .addArgument(new Argument('<task>', 'what the model does').choices(taskNames))
    .requiredOption('--data <file>', 'labelled sentences, pairs, documents or questions')
    .requiredOption('--model <dir>', 'folder of the model (see: finetune)')
    .option('--out <file>', 'write the predictions there')
    .option(
      '--max-length <n>',
      'most pieces of an example (default: as in training)',
      integerWithin(3, 65535),
    )
  return addShared(addInferencePrecision(command), 'device', 'threads', 'quiet', 'json').action(evaluate)
}

async function evaluate(name: string, options: Options): Promise<void> {
  const { data, model, out, json, quiet, maxLength } = options
  const started = performance.now()
  const folder = openTask(model, { task: name, maxLength })
  const { task, context } = folder
  const file = task.readFile(data, context)
  const examples = task.examples(file.items, context, false)
  const device = await openDevice(options.device, { threads: options.threads })
  const bar = progress({
    label: `evaluate ${task.name}`,
    unit: 'examples',
    total: examples.length,
    quiet,
  })
  try {
    const predictor = await loadTask(folder, device, options.precision)
    const { scores, answers } = await evaluateSplit(predictor, task, file, context, examples, (done) =>
      bar.increment(done),
    )
    bar.stop()
    if (out !== undefined) {
      makeFolder(dirname(out))
      writeFileAtomic(out, task.predictions(file.items, answers, context).text)
    }
    const seconds = (performance.now() - started) / 1000
    const result = {
      task: task.name,
      metric: task.metric,
      data,
      model,
      facts: file.facts ?? {},
      test: scores,
      out,
      seconds,
    }
    printResult(json, result, () =>
      [
        scoreTable(task, { [data]: scores }),
        ...(file.notes ?? []).map((note) => `${data}: ${note}`),
        ...(out === undefined ? [] : [`predictions in ${out}`]),
        duration(seconds),
      ].join('\n'),
    )
  } finally {
    bar.stop()
    await device.destroy()
  }
}
