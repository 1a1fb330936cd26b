/** What `--case` leaves of a bench that has several cases. */

/** The part of a name that was asked for; empty for all. */
export const onlyCase = process.env.BIOALBERT_BENCH_CASE ?? ''

/** Whether a case runs. */
export function isCase(name: string): boolean {
  return name.includes(onlyCase)
}
