/** Tasks by name, in a list of them. */
import { UsageError } from '../error.js'
import type { TaskCore } from './task.js'

/** All names of tasks, those that people are used to among them. */
export function namesOf(tasks: readonly Pick<TaskCore, 'name' | 'alias'>[]): string[] {
  return tasks.flatMap(({ name, alias }) => [name, alias])
}

/** The task of that name. Throws a UsageError for any other. */
export function findTask<T extends Pick<TaskCore, 'name' | 'alias'>>(tasks: readonly T[], name: string): T {
  const found = tasks.find((task) => task.name === name || task.alias === name)
  if (!found) throw new UsageError(`no task is called ${name} (want one of ${namesOf(tasks).join(', ')})`)
  return found
}
