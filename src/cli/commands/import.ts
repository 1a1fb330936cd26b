/** `import`: a model that another program trained, as a folder of ours, and what became of each of its tensors. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command, Option } from 'commander'
import type { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../data/tokenizer/tokenizer_node.js'
import { adoptVocabulary, vocabularyIn } from '../../data/tokenizer/vocabulary_import.js'
import { InputError, UsageError, UserError } from '../../error.js'
import { folderAtomic, refuseExisting } from '../../files.js'
import { PRESETS } from '../../model/config.js'
import { weightsIn } from '../../model/folder.js'
import { WEIGHT_FORMATS, type WeightFormat, weightFormat } from '../../model/formats/index.js'
import type { WeightsFile } from '../../model/formats/weights_file.js'
import { type ConfigFile, parseConfig } from '../../model/huggingface.js'
import {
  type ImportedTensor,
  type ImportState,
  importReport,
  type ModelToImport,
  planImport,
  writeImported,
} from '../../model/import.js'
import { CONFIG_FILE } from '../../model/pretrained.js'
import { taskNamed, taskNames } from '../../tasks/index.js'
import type { Task } from '../../tasks/task.js'
import { windowLength } from '../../training/finetuning/model.js'
import { writeTask } from '../../training/finetuning/model_node.js'
import { addShared, positiveInteger } from '../options.js'
import { printResult, table } from '../output.js'

interface Options {
  out: string
  config?: string
  layers?: number
  heads?: number
  preset?: string
  vocabulary: string | boolean
  cased?: boolean
  task?: string
  form?: string
  json?: boolean
}

export function importCommand(): Command {
  const command = new Command('import')
    .description(
      'Takes over a model of the ALBERT or BERT family: a folder of Hugging Face (weights in one or several safetensors ' +
        'files, or in pytorch_model.bin, which is read without running anything), one file of weights, or a checkpoint ' +
        'of the original code (its folder, or what the names of its files begin with). Prints every tensor and what became of it.',
    )
    .argument('<source>', `folder, or weights: ${WEIGHT_FORMATS.map(({ name }) => name).join(', ')}`)
    .requiredOption('--out <dir>', 'folder to write')
    .option('--config <file>', 'config.json (default: the one beside the weights)')
    .option(
      '--layers <n>',
      'L, where a checkpoint of TensorFlow comes without a configuration',
      positiveInteger,
    )
    .option('--heads <n>', 'A, likewise', positiveInteger)
    .addOption(
      new Option('--preset <name>', 'layers and heads as this preset has them, likewise').choices(PRESETS),
    )
    .option('--vocabulary <file>', 'spiece.model, vocab.txt or tokenizer.json (default: beside the weights)')
    .option('--no-vocabulary', 'write the weights without one')
    .option('--cased', 'the vocabulary keeps upper case (default: as its options or its pieces say)')
    .option('--task <name>', `what the model was fine-tuned for: ${taskNames.join(', ')}`)
    .option('--form <name>', "one of the task's forms, with --task")
  return addShared(command, 'json').action(importModel)
}

async function importModel(place: string, options: Options): Promise<void> {
  const { out, task: named, form, json } = options
  if (form !== undefined && named === undefined) throw new UsageError('--form wants a --task')
  refuseExisting(out)
  const task = named === undefined ? undefined : taskNamed(named)
  if (task && form !== undefined && !task.forms.includes(form))
    throw new UsageError(`--form ${form} is none of ${task.name} (want ${task.forms.join(', ')})`)
  const { path, format, dir } = locate(place)
  const weights = format.open(path)
  const source = configuration(path, format, dir, weights, options)
  const model = planImport(weights, source, task && headOf(task, source, form))
  const vocabulary = vocabularyOf(dir, options)
  const digest = await folderAtomic(out, async (temporary) => {
    const tokenizer = vocabulary === undefined ? undefined : adopt(vocabulary, temporary, model, options)
    await writeImported(temporary, model, tokenizer?.digest)
    if (task) keepTask(temporary, task, form, model)
    return tokenizer?.digest
  })
  const tensors = importReport(model)
  const counts = countStates(tensors)
  const { architecture, labels } = model
  const facts = { out, source: path, architecture, labels: labels ?? null, task: task?.name ?? null }
  printResult(json, { ...facts, vocabulary: digest ?? null, counts, tensors }, () =>
    report(facts, tensors, counts, digest),
  )
}

/** The weights, their form, and the folder in which what belongs to them is looked for. */
function locate(place: string): { path: string; format: WeightFormat; dir: string } {
  const status = statSync(place, { throwIfNoEntry: false })
  if (!status?.isDirectory()) {
    const format = weightFormat(place)
    return { path: place, format, dir: dirname(place) }
  }
  const path = weightsIn(place)
  if (existsSync(path)) return { path, format: weightFormat(path), dir: place }
  for (const format of WEIGHT_FORMATS) {
    const found = format.find?.(place)
    if (found !== undefined) return { path: found, format, dir: place }
  }
  throw new InputError({
    file: place,
    found: 'no weights in it',
    expected: `a folder with ${WEIGHT_FORMATS.map(({ name }) => name).join(', ')}`,
  })
}

function configuration(
  path: string,
  format: WeightFormat,
  dir: string,
  weights: WeightsFile,
  { config: asked, layers, heads, preset }: Options,
): ConfigFile {
  if (format.configuration) return format.configuration(path, weights, { file: asked, layers, heads, preset })
  if (layers !== undefined || heads !== undefined || preset !== undefined)
    throw new UsageError('--layers, --heads and --preset are for checkpoints of TensorFlow')
  const file = asked ?? join(dir, CONFIG_FILE)
  if (asked !== undefined || existsSync(file)) return parseConfig(text(file), file, familyOf(weights))
  throw new UsageError(`${path}: has no ${CONFIG_FILE} beside it; name one with --config`)
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  }
}

/** What names speak for, where a configuration of old does not say. */
function familyOf({ tensors }: WeightsFile): 'albert' | 'bert' {
  return [...tensors.keys()].some((name) => /\balbert_layer|\balbert\./.test(name)) ? 'albert' : 'bert'
}

/** The head of a task, which names of labels may decide. */
function headOf(task: Task, { labels }: ConfigFile, form?: string) {
  const names = labels ?? []
  try {
    return task.head(
      task.name === 'answers' && !isYesNo(names) ? ['start', 'end'] : names,
      form ?? task.forms[0],
    ).name
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`--task ${task.name}: ${error.message}`)
    throw error
  }
}

function isYesNo(labels: readonly string[]): boolean {
  return labels.length === 2 && labels.includes('yes') && labels.includes('no')
}

function keepTask(dir: string, task: Task, form: string | undefined, { config }: ModelToImport): void {
  const maxLength = windowLength({ config }, task)
  writeTask(dir, task, { form: form ?? task.forms[0], maxLength, fitted: {} })
}

/** The file that the vocabulary is made from, unless none is wanted. */
function vocabularyOf(dir: string, { vocabulary }: Options): string | undefined {
  if (vocabulary === false) return undefined
  const file = typeof vocabulary === 'string' ? vocabulary : vocabularyIn(dir)
  if (file !== undefined) return file
  throw new UsageError(
    `${dir}: has no spiece.model, 30k-clean.model, tokenizer.json or vocab.txt; name one with --vocabulary, or leave it out with --no-vocabulary`,
  )
}

function adopt(
  file: string,
  dir: string,
  { config: { vocabularySize } }: ModelToImport,
  { cased }: Options,
): Tokenizer {
  adoptVocabulary(file, dir, { lowercase: cased ? false : undefined })
  const tokenizer = loadTokenizer(dir)
  if (tokenizer.size === vocabularySize) return tokenizer
  throw new UserError(`${file}: has ${tokenizer.size} pieces, the model has embeddings of ${vocabularySize}`)
}

const STATES: readonly ImportState[] = ['taken', 'transposed', 'copy', 'missing', 'left over', 'left out']

function countStates(tensors: readonly ImportedTensor[]): Record<ImportState, number> {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<ImportState, number>
  for (const { state } of tensors) counts[state]++
  return counts
}

function report(
  {
    out,
    source,
    architecture,
    task,
  }: { out: string; source: string; architecture: string; task: string | null },
  tensors: readonly ImportedTensor[],
  counts: Record<ImportState, number>,
  digest?: string,
): string {
  const rows = tensors.map(({ state, name, source: from, dtype, shape }) => [
    state,
    name ?? '',
    from === name ? '' : (from ?? ''),
    dtype ?? '',
    shape === null ? '' : `[${shape.join(', ')}]`,
  ])
  const told = STATES.filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${state}`)
  const facts = [
    `${source} -> ${out}: ${architecture}${task === null ? '' : ` for ${task}`}`,
    told.join(', '),
    digest === undefined ? 'no vocabulary' : `vocabulary ${digest.slice(0, 12)}`,
  ]
  return [table(['', 'parameter', 'in the source', 'type', 'shape'], rows), '', ...facts].join('\n')
}
