/**
 * A failed test's error whose message uvu prints once: uvu takes everything behind the first line of `stack` for frames,
 * which would print a message of several lines twice.
 */
export function fail(message: string): never {
  const error = new Error(message)
  error.name = 'Mismatch'
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? []
  error.stack = ['Mismatch', ...frames.slice(1)].join('\n')
  throw error
}

/** Fails unless the promise is rejected with a message that matches. */
export async function rejects(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  let message: string
  try {
    await promise
    message = 'nothing was thrown'
  } catch (error) {
    message = (error as Error).message
    if (pattern.test(message)) return
  }
  fail(`want an error that matches ${pattern}: ${message}`)
}
