/** A worker thread that makes parts one after another, and tells of the bytes it has read. */
import { parentPort, workerData } from 'node:worker_threads'
import { UserError } from '../../error.js'
import { makePart, type PartTask, type Settings } from './part.js'

export type PartReply =
  | { kind: 'read'; bytes: number }
  | { kind: 'done' }
  | { kind: 'failed'; message: string; userError: boolean; stack?: string }

const port = parentPort
if (port !== null) {
  const answer = (reply: PartReply): void => port.postMessage(reply)
  port.on('message', (task: PartTask) => {
    makePart(task, workerData as Settings, (bytes) => answer({ kind: 'read', bytes })).then(
      () => answer({ kind: 'done' }),
      (error: Error) => {
        const { message, stack } = error
        answer({ kind: 'failed', message, userError: error instanceof UserError, stack })
      },
    )
  })
}
