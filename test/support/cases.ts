/**
 * Which cases a suite takes. Where everything takes long, as under emulation of another processor, BIOALBERT_TEST_CASES=few asks
 * for one of each kind: a suite groups its cases by what they cover and puts the cheapest that covers it first.
 */
const choice = process.env.BIOALBERT_TEST_CASES ?? 'all'
if (choice !== 'all' && choice !== 'few')
  throw new Error(`BIOALBERT_TEST_CASES is ${choice} (want all or few)`)

/** Whether one case of each kind is enough. */
export const isFew = choice === 'few'

/** All cases, or the first of each kind. The name of a kind says what it covers. */
export function ofEachKind<T>(kinds: Readonly<Record<string, readonly T[]>>): T[] {
  return Object.values(kinds).flatMap((cases) => (isFew ? cases.slice(0, 1) : cases))
}

/** Numbers of threads whose results are held against those of one thread. */
export const threadCounts: readonly number[] = isFew ? [3] : [2, 3, 7]

/** The counts as the name of a test says them. */
export const onThreads = `on 1${threadCounts.map((n, i) => `${i + 1 < threadCounts.length ? ',' : ' and'} ${n}`).join('')} threads`

/** What `make` gives, computed when it is first asked for: an oracle that every instruction set is held against. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
