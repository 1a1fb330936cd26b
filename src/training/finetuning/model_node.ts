/** Fine-tuned models as folders: model.ts with task.json and the rest on the disk. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../data/tokenizer/tokenizer_node.js'
import { writeFileAtomic } from '../../files.js'
import { openModel } from '../../model/folder.js'
import type { PretrainedModel } from '../../model/pretrained.js'
import { tasks } from '../../tasks/index.js'
import type { Task } from '../../tasks/task.js'
import {
  checkedTokenizer,
  TASK_FILE,
  type TaskFolder,
  type TaskRecord,
  type TaskWishes,
  taskFolder,
  taskText,
} from './model.js'

/** Keeps it in task.json. */
export function writeTask(dir: string, task: Pick<Task, 'name'>, record: TaskRecord): void {
  writeFileAtomic(join(dir, TASK_FILE), taskText(task, record))
}

/**
 * Reads and checks the folder of a fine-tuned model. Throws a UserError for a folder that holds no model, another task's, a
 * model without label names or with labels that are none of the task, and a vocabulary that is missing or not the model's.
 */
export function openTask(dir: string, wishes: TaskWishes = {}): TaskFolder<Task> {
  const model = openModel(dir)
  const path = join(dir, TASK_FILE)
  const record = existsSync(path) ? { path, text: readFileSync(path, 'utf8') } : undefined
  return taskFolder({ model, tokenizer: () => loadTokenizer(dir), record }, tasks, wishes)
}

/** The vocabulary in a model's folder. Throws a UserError where there is none, or another than the model's. */
export function modelTokenizer(model: PretrainedModel): Tokenizer {
  return checkedTokenizer(model, () => loadTokenizer(model.dir))
}
