/**
 * Labels texts, one at a time. While one is computed only the newest of those that come is kept, and begins after the batch that is
 * under way: a person who types wants an answer to what is there now.
 */
import { UserError } from '../error.js'
import { annotateText } from '../training/finetuning/annotate.js'
import type { LoadedModel } from './model.js'
import type { Tell } from './port.js'
import type { Annotation } from './protocol.js'

interface Waiting {
  readonly text: string
  readonly tell: Tell
  resolve(annotation: Promise<Annotation>): void
  reject(error: Error): void
}

export class Annotator {
  private waiting?: Waiting
  private busy = false
  private current: Promise<unknown> = Promise.resolve()

  constructor(private readonly model: () => LoadedModel) {}

  /** Rejects with `superseded` where a newer text came before this one's turn, or its end. */
  ask(text: string, tell: Tell): Promise<Annotation> {
    return new Promise((resolve, reject) => {
      this.waiting?.reject(superseded())
      this.waiting = { text, tell, resolve, reject }
      if (!this.busy) void this.work()
    })
  }

  /** Resolves once the text that is computed now is done, and with it the model that it began with. */
  async settled(): Promise<void> {
    await this.current
  }

  private async work(): Promise<void> {
    this.busy = true
    while (this.waiting !== undefined) {
      const { text, tell, resolve } = this.waiting
      this.waiting = undefined
      const annotation = this.annotate(text, tell)
      resolve(annotation)
      this.current = annotation.catch(() => undefined)
      await this.current
    }
    this.busy = false
  }

  private async annotate(text: string, tell: Tell): Promise<Annotation> {
    const { folder, predictor } = this.model().ready
    const begin = performance.now()
    const { entities, pieces } = await annotateText(predictor, folder, text, undefined, (done, total) => {
      if (done === total) return
      if (this.waiting !== undefined) throw superseded()
      tell({ kind: 'labelled', done, total })
    })
    return {
      entities: entities.map(({ start, end, type, score = 1 }) => ({ start, end, type, confidence: score })),
      milliseconds: performance.now() - begin,
      pieces,
    }
  }
}

function superseded(): UserError {
  return new UserError('superseded')
}
