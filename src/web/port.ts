/** What the worker needs of the one who asks: the global scope of a worker, or a port of a channel in tests. */
import type { Answer, Progress, Request, RequestName, Requests } from './protocol.js'

export interface Port {
  postMessage(answer: Answer, transfer?: ArrayBuffer[]): void
  onmessage: ((event: { readonly data: Request }) => void) | null
}

/** What a request tells on its way. */
export type Tell = (progress: Progress) => void

/** What answers each request. */
export type Handlers = {
  readonly [N in RequestName]: (ask: Requests[N]['ask'], tell: Tell) => Promise<Requests[N]['result']>
}
