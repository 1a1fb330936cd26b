/**
 * What can go wrong behind the back of whoever asked. WebGPU tells errors late: validation and memory by error scopes, the loss
 * of a device by a promise, and what is awaited then may never settle. Here all of it becomes UserErrors that say what was asked
 * for; after a loss everything fails with the one error that tells of it.
 */
import { UserError } from '../../error.js'

type Scope = 'validation' | 'out-of-memory'

/** Hears when the device is waited for. */
export interface Waiting {
  /** Somebody waits. */
  begin(): void
  /** What one of them waited for is there; others go on waiting. */
  news(): void
  /** Nobody waits. */
  end(): void
}

export class Health {
  /** Programs that were handed over and are not known to be done. */
  readonly running: string[] = []
  private lost: UserError | undefined
  private complaint: string | undefined
  /** Results of scopes that nobody has looked at. */
  private checks: Promise<string | undefined>[] = []
  /** Who waits for the device. */
  private readonly waiting = new Set<(error: UserError) => void>()

  constructor(
    private readonly device: GPUDevice,
    private readonly listener?: Waiting,
  ) {
    device.addEventListener('uncapturederror', (event) => {
      this.complaint ??= event.error.message
    })
    void device.lost.then(({ message }) => this.lose(message))
  }

  /** The end of the device: `what` happened to it. The first one counts. */
  lose(what: string): void {
    if (this.lost) return
    const programs = [...new Set(this.running)]
    const when = programs.length > 0 ? ` while program ${programs.join(', ')} ran` : ''
    this.end(
      `webgpu was lost${when}: ${what.trim() || 'no reason was given'}. Nothing more can run on it; what was saved last (a checkpoint) is whole, start again from it`,
    )
  }

  /** Ends the device with a message. */
  end(message: string): void {
    if (this.lost) return
    this.lost = new UserError(message)
    for (const reject of this.waiting) reject(this.lost)
    this.waiting.clear()
    this.listener?.end()
  }

  get isLost(): boolean {
    return this.lost !== undefined
  }

  throwIfLost(): void {
    if (this.lost) throw this.lost
  }

  /** The promise, or the error of the device if it is lost first. */
  guard<T>(promise: Promise<T>): Promise<T> {
    if (this.lost) {
      promise.catch(() => undefined)
      return Promise.reject(this.lost)
    }
    return new Promise((resolve, reject) => {
      if (this.waiting.size === 0) this.listener?.begin()
      this.waiting.add(reject)
      promise
        .then(resolve, (error: Error) => reject(this.lost ?? error))
        .finally(() => {
          this.waiting.delete(reject)
          if (this.waiting.size > 0) this.listener?.news()
          else this.listener?.end()
        })
    })
  }

  /** Does work within an error scope; what that tells comes later, undefined if it is nothing. */
  scoped<T>(filter: Scope, work: () => T): [T, Promise<string | undefined>] {
    const { device } = this
    device.pushErrorScope(filter)
    let result: T
    try {
      result = work()
    } catch (error) {
      device.popErrorScope().catch(() => undefined)
      throw error
    }
    const told = device.popErrorScope().then(
      (error) => error?.message,
      // of a device that is lost there is more to hear elsewhere
      () => undefined,
    )
    return [result, told]
  }

  /** Does work whose complaints the next `settle` throws, unless what they come from is told otherwise. */
  checked<T>(what: string, work: () => T, isKnown: () => boolean = () => false): T {
    const { device } = this
    this.throwIfLost()
    device.pushErrorScope('out-of-memory')
    device.pushErrorScope('validation')
    try {
      return work()
    } finally {
      for (let i = 0; i < 2; i++)
        this.checks.push(
          device.popErrorScope().then(
            (error) => (error && !isKnown() ? `${what}: ${error.message}` : undefined),
            (error: Error) => `${what}: ${error.message}`,
          ),
        )
    }
  }

  /** Something to be known before anybody is told that all went well. */
  expect(knowledge: Promise<void>): void {
    this.checks.push(knowledge.then(() => undefined))
  }

  /** Resolves when the results of all scopes so far are known. */
  async known(): Promise<void> {
    await this.guard(Promise.all(this.checks))
  }

  /** Waits for the checks so far and throws the first complaint, once. */
  async settle(): Promise<void> {
    const { checks } = this
    this.checks = []
    const found = (await this.guard(Promise.all(checks))).find((text) => text !== undefined)
    this.throwIfLost()
    if (found !== undefined) this.complaint = found
    this.throwComplaint()
  }

  throwComplaint(): void {
    const { complaint } = this
    this.complaint = undefined
    if (complaint !== undefined) throw new UserError(`webgpu: ${complaint}`)
  }
}
