/**
 * The thread that works on long texts, so that the event loop never waits for one: a message brings lines and gets examples
 * back, a second one brings logits and gets JSON. What belongs to a request is kept here in between. Started by text_lanes.ts.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { loadTokenizer } from '../data/tokenizer/tokenizer_node.js'
import { UserError } from '../error.js'
import { taskNamed } from '../tasks/index.js'
import type { TaskContext } from '../tasks/task.js'
import { type Piece, type PreparedText, TextWork } from './text_work.js'

export interface WorkerSettings {
  readonly folder: string
  readonly task: string
  readonly context: Omit<TaskContext, 'tokenizer'>
  readonly entity: string
}

export type WorkerRequest =
  /** `most` pieces are sent back; of more only their number. */
  | {
      readonly kind: 'prepare'
      readonly id: number
      readonly lines: readonly string[]
      readonly most: number
    }
  | { readonly kind: 'finish'; readonly id: number; readonly logits: readonly Float32Array[] }
  | { readonly kind: 'forget'; readonly id: number }

export type WorkerReply = { readonly id: number } & (
  | { readonly examples: readonly Piece[]; readonly pieces: number }
  | { readonly printed: readonly string[] }
  | { readonly failed: string; readonly byUser: boolean }
)

const { folder, task, context, entity } = workerData as WorkerSettings
const work = new TextWork({
  task: taskNamed(task),
  context: { ...context, tokenizer: loadTokenizer(folder) },
  entity,
})
const open = new Map<number, PreparedText>()

parentPort?.on('message', (request: WorkerRequest) => {
  if (request.kind === 'forget') {
    open.delete(request.id)
    return
  }
  try {
    parentPort?.postMessage(answer(request))
  } catch (error) {
    open.delete(request.id)
    const failed = error instanceof Error ? error.message : String(error)
    const reply: WorkerReply = { id: request.id, failed, byUser: error instanceof UserError }
    parentPort?.postMessage(reply)
  }
})

function answer(request: Exclude<WorkerRequest, { kind: 'forget' }>): WorkerReply {
  const { id } = request
  if (request.kind === 'finish') {
    const prepared = open.get(id)
    if (prepared === undefined) throw new Error(`request ${id} is not known`)
    open.delete(id)
    return { id, printed: prepared.finish(request.logits) }
  }
  const prepared = work.prepare(request.lines)
  const { pieces } = prepared
  if (pieces > request.most) return { id, examples: [], pieces }
  open.set(id, prepared)
  const examples = prepared.examples.map(({ ids, second, scored, item }) => ({ ids, second, scored, item }))
  return { id, examples, pieces }
}
