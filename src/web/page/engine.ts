/** The worker as the page sees it: questions with an answer each. All that computes is behind it. */
import type { Answer, Progress, RequestName, Requests } from '../protocol.js'

/** What the worker could not do. */
export class Failed extends Error {
  constructor(
    message: string,
    /** The person who gave something can mend it; else it is a fault of this program. */
    readonly user: boolean,
  ) {
    super(user || message === 'superseded' ? message : `This should not happen: ${message}`)
  }
}

interface Waiting {
  readonly tell: (progress: Progress) => void
  readonly resolve: (result: never) => void
  readonly reject: (error: Failed) => void
}

export class Engine {
  private readonly waiting = new Map<number, Waiting>()
  private last = 0
  private broken: Failed | undefined

  constructor(private readonly worker: Worker) {
    worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => this.hear(data))
    worker.addEventListener('error', ({ message }) => this.break(message || 'the worker did not load'))
    worker.addEventListener('messageerror', () => this.break('a message of the worker could not be read'))
  }

  /** Rejects with Failed. */
  ask<N extends RequestName>(
    name: N,
    ask: Requests[N]['ask'],
    tell: (progress: Progress) => void = () => undefined,
  ): Promise<Requests[N]['result']> {
    if (this.broken) return Promise.reject(this.broken)
    const id = ++this.last
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { tell, resolve, reject })
      this.worker.postMessage({ id, name, ask })
    })
  }

  private hear(answer: Answer): void {
    const waiting = this.waiting.get(answer.id)
    if (waiting === undefined) return
    if (answer.kind !== 'progress') this.waiting.delete(answer.id)
    if (answer.kind === 'progress') waiting.tell(answer.progress)
    else if (answer.kind === 'result') waiting.resolve(answer.result as never)
    else waiting.reject(new Failed(answer.message, answer.user))
  }

  /** Nothing more will be answered. */
  private break(message: string): void {
    this.broken = new Failed(`${message}. Load the page again.`, false)
    for (const { reject } of this.waiting.values()) reject(this.broken)
    this.waiting.clear()
  }
}
