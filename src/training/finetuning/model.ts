/**
 * A fine-tuned model: one of Hugging Face's form with its vocabulary, and task.json, which keeps the task, the form of its
 * data, the window length that it was trained with, and what was learnt beside the weights. Checked, and put on a device for
 * evaluation and prediction. Needs nothing of Node; model_node.ts has folders.
 */
import * as z from 'zod/mini'
import type { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import type { Device } from '../../device/device.js'
import { InputError, UsageError, UserError } from '../../error.js'
import { ParameterSet } from '../../graph/parameters.js'
import { Runtime } from '../../graph/runtime.js'
import type { Example, Head } from '../../model/head.js'
import { checkVocabulary, type PretrainedModel } from '../../model/pretrained.js'
import { loadPretrained } from '../../model/weights.js'
import type { Precision } from '../../ops/shape.js'
import { findTask, namesOf } from '../../tasks/find.js'
import type { Fitted, Scores, Split, TaskContext, TaskCore } from '../../tasks/task.js'
import { refusePrecision } from '../precision.js'
import { capturePrediction, PREDICT_PROGRAM, Predictor, predictionCapacity } from './predictor.js'

export const TASK_FILE = 'task.json'
const taskSchema = z.object({
  task: z.string(),
  form: z.optional(z.string()),
  max_length: z.int().check(z.minimum(3)),
  fitted: z._default(z.record(z.string(), z.unknown()), {}),
})

/** What is kept of a task beside the weights. */
export interface TaskRecord {
  readonly form: string
  readonly maxLength: number
  readonly fitted: Fitted
}

/** The text of task.json. */
export function taskText(task: Pick<TaskCore, 'name'>, { form, maxLength, fitted }: TaskRecord): string {
  return `${JSON.stringify({ task: task.name, form, max_length: maxLength, fitted })}\n`
}

export interface TaskFolder<T extends TaskCore = TaskCore> {
  readonly model: PretrainedModel
  readonly task: T
  readonly head: Head
  readonly context: TaskContext & { readonly tokenizer: Tokenizer }
}

/** What a person asks for besides the folder. */
export interface TaskWishes {
  /** The task that the model should be of; where the folder does not say, the one that it is taken for. */
  readonly task?: string
  readonly maxLength?: number
}

/** What the files of a fine-tuned model say. */
export interface TaskFiles {
  readonly model: PretrainedModel
  /** Reads the vocabulary beside the weights, once it is known to be there. */
  readonly tokenizer: () => Tokenizer
  /** task.json by its name, for errors, and its text, where there is one. */
  readonly record?: { readonly path: string; readonly text: string }
}

/**
 * Checks a fine-tuned model of one of `tasks`. Throws a UserError for another task's, a model without label names or with labels
 * that are none of the task, and a vocabulary that is missing or not the model's.
 */
export function taskFolder<T extends TaskCore>(
  { model, tokenizer, record: file }: TaskFiles,
  tasks: readonly T[],
  wishes: TaskWishes = {},
): TaskFolder<T> {
  const record = file && parseTask(file, namesOf(tasks))
  const asked = wishes.task === undefined ? undefined : findTask(tasks, wishes.task)
  // a folder that does not say is one of another program's, or a tagger of old
  const task = findTask(tasks, record?.task ?? asked?.name ?? 'entities')
  if (asked && asked !== task)
    throw new UserError(`${model.dir}: a model fine-tuned for ${task.name}, not for ${asked.name}`)
  const { labels, configFile: config } = model
  const expected = `a model fine-tuned for ${task.name} (see: finetune ${task.name})`
  if (labels === undefined || labels.length === 0)
    throw new InputError({ file: config, found: 'no names of labels (id2label)', expected })
  const form = record?.form ?? task.forms[0]
  const own = checkedTokenizer(model, tokenizer)
  const maxLength = windowLength(model, task, wishes.maxLength ?? record?.max_length)
  const context = { form, labels, tokenizer: own, maxLength, fitted: record?.fitted ?? {} }
  return { model, task, head: headOf(task, labels, form, config, expected), context }
}

function headOf(
  task: TaskCore,
  labels: readonly string[],
  form: string,
  file: string,
  expected: string,
): Head {
  try {
    return task.head(labels, form)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new InputError({ file, found: error.message, expected })
  }
}

/** The vocabulary beside a model's weights. Throws a UserError where there is none, or another than the model's. */
export function checkedTokenizer(model: PretrainedModel, tokenizer: () => Tokenizer): Tokenizer {
  if (!model.hasVocabulary)
    throw new UserError(
      `${model.dir}: found no tokenizer.json, expected the model's vocabulary beside its weights`,
    )
  const own = tokenizer()
  checkVocabulary(model, own.size, own.digest)
  return own
}

/** The wanted window length, or the usual one. Throws a UsageError where the model has not so many positions. */
export function windowLength(
  { config: { maxPositions } }: Pick<PretrainedModel, 'config'>,
  task: Pick<TaskCore, 'maxLength'>,
  wanted?: number,
): number {
  if (wanted !== undefined && wanted > maxPositions)
    throw new UsageError(`--max-length is ${wanted}, but the model has ${maxPositions} positions`)
  return wanted ?? Math.min(task.maxLength, maxPositions)
}

function parseTask(
  { path, text }: NonNullable<TaskFiles['record']>,
  names: readonly string[],
): z.infer<typeof taskSchema> {
  try {
    const found = taskSchema.parse(JSON.parse(text))
    if (names.includes(found.task)) return found
  } catch {}
  const expected = `{"task": NAME, "max_length": NUMBER}, NAME one of ${names.join(', ')}`
  throw new InputError({ file: path, found: 'something else', expected })
}

/**
 * Puts a model on a device, in f32 unless said otherwise. Throws an InputError where the folder has no head for its labels, a
 * UsageError for a precision that the device has not.
 */
export async function loadTask(
  folder: TaskFolder<TaskCore>,
  device: Device,
  precision?: Precision,
): Promise<Predictor> {
  refusePrecision(precision, device)
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
  task: TaskCore,
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
  task: TaskCore,
  items: readonly unknown[],
  examples: readonly Example[],
  logits: readonly Float32Array[],
  context: TaskContext,
): unknown[] {
  const answers = task.decode(items, examples, logits, context)
  if (answers.length !== items.length) throw new Error(`${answers.length} answers to ${items.length} items`)
  return answers
}

/**
 * The answers to the items of several lines, whose examples are run together so that batches are full. `onExamples` hears what
 * they were cut into, `onDone` of each batch how many more are done; what it throws ends the work.
 */
export async function evaluateLines(
  predictor: Predictor,
  task: TaskCore,
  lines: readonly (readonly unknown[])[],
  context: TaskContext,
  onExamples?: (examples: readonly Example[]) => void,
  onDone?: (examples: number) => void,
): Promise<unknown[][]> {
  const items = lines.flat()
  const examples = task.examples(items, context, false)
  onExamples?.(examples)
  const logits = await predictor.logits(examples, onDone)
  const answers = answersOf(task, items, examples, logits, context)
  let next = 0
  return lines.map(({ length }) => {
    next += length
    return answers.slice(next - length, next)
  })
}
