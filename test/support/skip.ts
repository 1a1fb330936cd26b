/**
 * Tests that cannot run here: counted by the runner and printed with their reason.
 * Use `skip(test, name, reason)` in place of `test.skip`, which knows no reason.
 */
const key = Symbol.for('bioalbert.test.skips')

export interface Skip {
  name: string
  reason: string
}

interface Skippable {
  skip(name?: string): void
}

/** The skips of this process so far, in order. */
export function skips(): Skip[] {
  const holder = globalThis as { [key]?: Skip[] }
  holder[key] ??= []
  return holder[key]
}

/** Counts a test as skipped; `reason` says what is missing here, so that a reader can provide it. */
export function skip(test: Skippable, name: string, reason: string): void {
  test.skip(name)
  skips().push({ name, reason })
  if (process.send === undefined) console.error(`skipped: ${name} (${reason})`)
}
