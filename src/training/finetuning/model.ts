/**
 * A fine-tuned model as a folder: Hugging Face's form with its vocabulary, and task.json, which keeps the task, the form of its
 * data, the window length that it was trained with, and what was learnt beside the weights. Opened for evaluation and prediction.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import type { Device } from '../../device/device.js'
import { InputError, UsageError, UserError } from '../../error.js'
import { writeFileAtomic } from '../../files.js'
import { ParameterSet } from '../../graph/parameters.js'
import { Runtime } from '../../graph/runtime.js'
import { CONFIG_FILE, checkVocabulary, openModel, type PretrainedModel } from '../../model/folder.js'
import type { Example, Head } from '../../model/head.js'
import { loadPretrained } from '../../model/weights.js'
import type { Precision } from '../../ops/shape.js'
import { taskNamed, taskNames } from '../../tasks/index.js'
import type { Fitted, Scores, Split, Task, TaskContext } from '../../tasks/task.js'
import { capturePrediction, PREDICT_PROGRAM, Predictor, predictionCapacity } from './predictor.js'

const TASK_FILE = 'task.json'
const taskSchema = z.object({
  task: z.enum(taskNames),
  form: z.string().optional(),
  max_length: z.number().int().min(3),
  fitted: z.record(z.string(), z.unknown()).default({}),
})

/** What is kept of a task beside the weights. */
export interface TaskRecord {
  readonly form: string
  readonly maxLength: number
  readonly fitted: Fitted
}

/** Keeps it in task.json. */
export function writeTask(dir: string, task: Task, { form, maxLength, fitted }: TaskRecord): void {
  const json = { task: task.name, form, max_length: maxLength, fitted }
  writeFileAtomic(join(dir, TASK_FILE), `${JSON.stringify(json)}\n`)
}

export interface TaskFolder {
  readonly model: PretrainedModel
  readonly task: Task
  readonly head: Head
  readonly context: TaskContext & { readonly tokenizer: Tokenizer }
}

/** What a person asks for besides the folder. */
export interface TaskWishes {
  /** The task that the model should be of; where the folder does not say, the one that it is taken for. */
  readonly task?: string
  readonly maxLength?: number
}

/**
 * Reads and checks the folder of a fine-tuned model. Throws a UserError for a folder that holds no model, another task's, a
 * model without label names or with labels that are none of the task, and a vocabulary that is missing or not the model's.
 */
export function openTask(dir: string, wishes: TaskWishes = {}): TaskFolder {
  const model = openModel(dir)
  const record = readTask(dir)
  const asked = wishes.task === undefined ? undefined : taskNamed(wishes.task)
  // a folder that does not say is one of another program's, or a tagger of old
  const task = taskNamed(record?.task ?? asked?.name ?? 'entities')
  if (asked && asked !== task)
    throw new UserError(`${dir}: a model fine-tuned for ${task.name}, not for ${asked.name}`)
  const { labels } = model
  const file = join(dir, CONFIG_FILE)
  const expected = `a model fine-tuned for ${task.name} (see: finetune ${task.name})`
  if (labels === undefined || labels.length === 0)
    throw new InputError({ file, found: 'no names of labels (id2label)', expected })
  const form = record?.form ?? task.forms[0]
  const tokenizer = modelTokenizer(model)
  const maxLength = windowLength(model, task, wishes.maxLength ?? record?.max_length)
  const context = { form, labels, tokenizer, maxLength, fitted: record?.fitted ?? {} }
  return { model, task, head: headOf(task, labels, form, file, expected), context }
}

function headOf(task: Task, labels: readonly string[], form: string, file: string, expected: string): Head {
  try {
    return task.head(labels, form)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new InputError({ file, found: error.message, expected })
  }
}

/** The vocabulary in a model's folder. Throws a UserError where there is none, or another than the model's. */
export function modelTokenizer(model: PretrainedModel): Tokenizer {
  if (!model.hasVocabulary)
    throw new UserError(
      `${model.dir}: found no tokenizer.json, expected the model's vocabulary beside its weights`,
    )
  const tokenizer = Tokenizer.load(model.dir)
  checkVocabulary(model, tokenizer.size, tokenizer.digest)
  return tokenizer
}

/** The wanted window length, or the usual one. Throws a UsageError where the model has not so many positions. */
export function windowLength(
  { config: { maxPositions } }: Pick<PretrainedModel, 'config'>,
  task: Pick<Task, 'maxLength'>,
  wanted?: number,
): number {
  if (wanted !== undefined && wanted > maxPositions)
    throw new UsageError(`--max-length is ${wanted}, but the model has ${maxPositions} positions`)
  return wanted ?? Math.min(task.maxLength, maxPositions)
}

function readTask(dir: string): z.infer<typeof taskSchema> | undefined {
  const file = join(dir, TASK_FILE)
  if (!existsSync(file)) return undefined
  try {
    return taskSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    const expected = `{"task": NAME, "max_length": NUMBER}, NAME one of ${taskNames.join(', ')}`
    throw new InputError({ file, found: 'something else', expected })
  }
}

/** Puts a model on a device, in f32 unless said otherwise. Throws an InputError where the folder has no head for its labels. */
export async function loadTask(
  folder: TaskFolder,
  device: Device,
  precision?: Precision,
): Promise<Predictor> {
  const { model, task, head, context } = folder
  const set = new ParameterSet()
  const declared = head.declare(set, model.config, context.labels.length)
  const data = new Float32Array(set.arenaElements)
  const { missing } = loadPretrained(model.weights, set, data)
  if (missing.length > 0)
    throw new InputError({
      file: model.weights.path,
      found: `no ${missing.join(', ')}`,
      expected: `a model fine-tuned for ${task.name} (see: finetune ${task.name})`,
    })
  const capacity = predictionCapacity(context.maxLength)
  const graph = capturePrediction(set, head, declared, capacity, precision)
  const runtime = new Runtime(device, set, { [PREDICT_PROGRAM]: graph })
  await runtime.writeState('parameters', data)
  return new Predictor(runtime, head, context.maxLength)
}

/** What a model makes of a split. */
export interface Evaluation {
  readonly logits: readonly Float32Array[]
  readonly answers: readonly unknown[]
  readonly scores: Scores
}

/** Answers and scores a split, every item of it. `onExamples` hears how many more examples are done. */
export async function evaluateSplit(
  predictor: Predictor,
  task: Task,
  { items }: Pick<Split<unknown>, 'items'>,
  context: TaskContext,
  examples: readonly Example[] = task.examples(items, context, false),
  onExamples?: (examples: number) => void,
): Promise<Evaluation> {
  const logits = await predictor.logits(examples, onExamples)
  const answers = answersOf(task, items, examples, logits, context)
  return { logits, answers, scores: task.score(items, answers, context.labels) }
}

/** The answers to items, one each (checked). */
export function answersOf(
  task: Task,
  items: readonly unknown[],
  examples: readonly Example[],
  logits: readonly Float32Array[],
  context: TaskContext,
): unknown[] {
  const answers = task.decode(items, examples, logits, context)
  if (answers.length !== items.length) throw new Error(`${answers.length} answers to ${items.length} items`)
  return answers
}

/** The answers to the items of several lines, whose examples are run together so that batches are full. */
export async function evaluateLines(
  predictor: Predictor,
  task: Task,
  lines: readonly (readonly unknown[])[],
  context: TaskContext,
): Promise<unknown[][]> {
  const items = lines.flat()
  const examples = task.examples(items, context, false)
  const answers = answersOf(task, items, examples, await predictor.logits(examples), context)
  let next = 0
  return lines.map(({ length }) => {
    next += length
    return answers.slice(next - length, next)
  })
}
