/**
 * Pauses of the thread of JavaScript while a device works, in Node. Dawn's binding asks for news in every turn of the event loop as
 * long as anything is awaited, under the lock of the device: a core that spins, and that compilers of pipelines and adapters in
 * software want for themselves. So each turn sleeps for a sixteenth of the time since the last news: what comes is heard of that
 * much later at most, and the loop goes on turning for everything else.
 */

/** Milliseconds of a pause at most, and those that are not worth one. */
const LONGEST = 4
const SHORTEST = 0.1
const SHARE = 1 / 16

export class Pauses {
  private readonly word = new Int32Array(new SharedArrayBuffer(4))
  private since = 0
  private isWaiting = false
  private isTurning = false

  /** From now on something is awaited. */
  begin(): void {
    this.isWaiting = true
    this.news()
    if (this.isTurning) return
    this.isTurning = true
    this.turn()
  }

  /** Something came. */
  news(): void {
    this.since = performance.now()
  }

  /** Nothing is awaited any more. */
  end(): void {
    this.isWaiting = false
  }

  private turn(): void {
    // what is awaited keeps the process alive, not this
    setImmediate(() => {
      this.isTurning = this.isWaiting
      if (!this.isWaiting) return
      const pause = Math.min(LONGEST, SHARE * (performance.now() - this.since))
      if (pause >= SHORTEST) Atomics.wait(this.word, 0, 0, pause)
      this.turn()
    }).unref()
  }
}
