/** A page without a browser: asks a worker's service in this process as a page asks its worker, through cloned messages. */
import type { OpenDevice } from '../../src/web/device.js'
import type { Port } from '../../src/web/port.js'
import type { Answer, Progress, Request, RequestName, Requests } from '../../src/web/protocol.js'
import { serve } from '../../src/web/service.js'

/** A request that ended in a failure. */
export class Failed extends Error {
  constructor(
    message: string,
    readonly user: boolean,
  ) {
    super(message)
  }
}

export class WebClient {
  private next = 1
  private readonly port: Port
  private readonly waiting = new Map<number, (answer: Answer) => void>()

  /** `listen` makes a service for a port; by default the one of the sources, on a device that `open` opens. */
  constructor(open: OpenDevice, listen: (port: Port) => void = (port) => serve(port, open)) {
    this.port = {
      onmessage: null,
      // what cannot be cloned, or is not in the list of what moves, would fail in a browser too
      postMessage: (answer, transfer = []) => {
        const cloned = structuredClone(answer, { transfer })
        this.waiting.get(cloned.id)?.(cloned)
      },
    }
    listen(this.port)
  }

  /** Files go as they are: Node clones no File. */
  ask<N extends RequestName>(
    name: N,
    ask: Requests[N]['ask'],
    onProgress: (progress: Progress) => void = () => {},
  ): Promise<Requests[N]['result']> {
    const id = this.next++
    return new Promise((resolve, reject) => {
      this.waiting.set(id, (answer) => {
        if (answer.kind === 'progress') return onProgress(answer.progress)
        this.waiting.delete(id)
        if (answer.kind === 'failure') reject(new Failed(answer.message, answer.user))
        else resolve(answer.result as Requests[N]['result'])
      })
      const request: Request<N> = { id, name, ask }
      this.port.onmessage?.({ data: request as Request })
    })
  }
}
