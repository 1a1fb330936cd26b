/**
 * Steps that are queued on a device before what came out of those before is known, so that a device whose runs are short
 * never waits for JavaScript: one runs, one is queued behind it, and losses are read a step late.
 */

/** Runs of a device that are asked for and not done, at most. */
export const AHEAD = 2

/**
 * What a run leaves to be read: the reads are queued right behind it, before anything else can be. Rejects with the run's
 * error if it has one.
 */
export async function queued<Reads extends readonly Promise<unknown>[]>(
  run: Promise<void>,
  reads: () => readonly [...Reads],
): Promise<{ -readonly [K in keyof Reads]: Awaited<Reads[K]> }> {
  const results = Promise.all(reads())
  // where the run fails its error is the one to tell
  results.catch(() => undefined)
  await run
  return results
}

/** Lets at most `AHEAD` runs be under way. */
export class Queue {
  private readonly underWay: Promise<unknown>[] = []

  /** Waits until one more run may be queued. */
  async room(): Promise<void> {
    while (this.underWay.length >= AHEAD) await this.underWay.shift()
  }

  /** Counts a run; how it ends is for others to see. */
  add(run: Promise<unknown>): void {
    this.underWay.push(run.catch(() => undefined))
  }
}

export interface Steps<Done> {
  /** Queues the next step and returns once that is done, with a promise of what came out; undefined where there is none. */
  submit(): Promise<{ readonly done: Promise<Done> } | undefined>
  /** Whether nothing may be queued behind the step that was queued last until it has been looked at. */
  isBoundary(): boolean
  /** Looks at a step; `settled` if nothing is queued behind it, so the device has the state right after it. */
  onDone(done: Done, settled: boolean): Promise<void>
}

/** Runs steps, one ahead of what has been looked at, until `submit` has none. */
export async function runAhead<Done>({ submit, isBoundary, onDone }: Steps<Done>): Promise<void> {
  let running: { readonly done: Promise<Done> } | undefined
  let next: { readonly done: Promise<Done> } | undefined
  try {
    for (;;) {
      next = running && isBoundary() ? undefined : await submit()
      next?.done.catch(() => undefined)
      if (running) await onDone(await running.done, next === undefined)
      else if (next === undefined) return
      running = next
    }
  } catch (error) {
    // what is queued still uses memory that the caller is about to free
    await Promise.allSettled([running?.done, next?.done])
    throw error
  }
}
