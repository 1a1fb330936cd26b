/**
 * Runs instance tasks on this thread (one worker) or on worker threads, and answers their results in the order
 * of the tasks.
 */
import { Worker } from 'node:worker_threads'
import { UserError } from '../../error.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { type Task, type TaskContext, type TaskResult, TaskRunner } from './tasks.js'
import type { WorkerReply } from './worker.js'

export class InstancePool {
  private readonly workers: Worker[] = []
  private readonly runner?: TaskRunner

  constructor(context: TaskContext, workers: number, tokenizer: Tokenizer) {
    if (workers === 1) this.runner = new TaskRunner(context, tokenizer)
    else {
      const file = new URL('./worker.js', import.meta.url)
      while (this.workers.length < workers) this.workers.push(new Worker(file, { workerData: context }))
    }
  }

  /** Runs every task; `done` hears of each when it ends. */
  async map(tasks: Task[], done: (result: TaskResult, task: number) => void): Promise<TaskResult[]> {
    const results: TaskResult[] = new Array(tasks.length)
    let next = 0
    const take = async (run: (task: Task) => Promise<TaskResult>): Promise<void> => {
      while (next < tasks.length) {
        const index = next++
        results[index] = await run(tasks[index])
        done(results[index], index)
      }
    }
    const { runner } = this
    if (runner) {
      await take(async (task) => {
        await new Promise((resolve) => setImmediate(resolve))
        return runner.run(task)
      })
    } else {
      await Promise.all(this.workers.map((worker) => take((task) => ask(worker, task))))
    }
    return results
  }

  async close(): Promise<void> {
    this.runner?.close()
    await Promise.all(this.workers.map((worker) => worker.terminate()))
  }
}

function ask(worker: Worker, task: Task): Promise<TaskResult> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      worker.off('message', answered)
      worker.off('error', failed)
    }
    const failed = (error: unknown): void => {
      stop()
      reject(error)
    }
    const answered = (reply: WorkerReply): void => {
      stop()
      if ('result' in reply) resolve(reply.result)
      else if (reply.userError) reject(new UserError(reply.message))
      else reject(Object.assign(new Error(reply.message), { stack: reply.stack }))
    }
    worker.on('message', answered)
    worker.on('error', failed)
    worker.postMessage(task)
  })
}
