/** The tasks, a line each. */
import { UsageError } from '../error.js'
import { answers } from './answers.js'
import { documents } from './documents.js'
import { entities } from './entities.js'
import { inference } from './inference.js'
import { relations } from './relations.js'
import { similarity } from './similarity.js'
import type { Task } from './task.js'

export const tasks: readonly Task[] = [entities, relations, similarity, inference, documents, answers]

/** All names of tasks, those that people are used to among them. */
export const taskNames = tasks.flatMap(({ name, alias }) => [name, alias])

/** The task of that name. Throws a UsageError for any other. */
export function taskNamed(name: string): Task {
  const found = tasks.find((task) => task.name === name || task.alias === name)
  if (!found) throw new UsageError(`no task is called ${name} (want one of ${taskNames.join(', ')})`)
  return found
}
