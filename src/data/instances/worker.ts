/** A worker thread that runs instance tasks one after another; errors travel back with what the user needs. */
import { parentPort, workerData } from 'node:worker_threads'
import { UserError } from '../../error.js'
import { type Task, type TaskContext, type TaskResult, TaskRunner } from './tasks.js'

export type WorkerReply = { result: TaskResult } | { message: string; userError: boolean; stack?: string }

const port = parentPort
if (port !== null) {
  let runner: TaskRunner | undefined
  port.on('message', (task: Task) => {
    let reply: WorkerReply
    try {
      runner ??= new TaskRunner(workerData as TaskContext)
      reply = { result: runner.run(task) }
    } catch (error) {
      const { message, stack } = error as Error
      reply = { message, userError: error instanceof UserError, stack }
    }
    port.postMessage(reply)
  })
}
