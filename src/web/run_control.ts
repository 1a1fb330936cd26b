/** A person's hand on a run: held, let go on, ended early. And the clock of the run, which stands while it is held. */
import type { Requests } from './protocol.js'

export type Action = Requests['control']['ask']['action']

export class RunControl {
  private resume?: () => void
  private held?: Promise<void>
  private stopped = false
  private began = performance.now()

  take(action: Action): void {
    if (action === 'pause') {
      if (this.held !== undefined || this.stopped) return
      this.held = new Promise((resolve) => {
        this.resume = resolve
      })
      return
    }
    if (action === 'stop') this.stopped = true
    this.resume?.()
    this.held = undefined
  }

  /** The clock starts. */
  start(): void {
    this.began = performance.now()
  }

  /** Milliseconds since `start`, pauses left out. */
  get milliseconds(): number {
    return performance.now() - this.began
  }

  get wantsStop(): boolean {
    return this.stopped
  }

  /** Waits while the run is held; `tell` hears of both ends. */
  async wait(tell: (kind: 'paused' | 'resumed') => void): Promise<void> {
    if (this.held === undefined) return
    tell('paused')
    const from = performance.now()
    while (this.held !== undefined) await this.held
    this.began += performance.now() - from
    tell('resumed')
  }
}
