/** The tasks, a line each. */
import { answers } from './answers.js'
import { documents } from './documents.js'
import { entities } from './entities.js'
import { findTask, namesOf } from './find.js'
import { inference } from './inference.js'
import { relations } from './relations.js'
import { similarity } from './similarity.js'
import type { Task } from './task.js'

export const tasks: readonly Task[] = [entities, relations, similarity, inference, documents, answers]

/** All names of tasks, those that people are used to among them. */
export const taskNames = namesOf(tasks)

/** The task of that name. Throws a UsageError for any other. */
export function taskNamed(name: string): Task {
  return findTask(tasks, name)
}
