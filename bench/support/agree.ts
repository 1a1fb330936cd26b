/** Whether two programs have computed the same. */
import type { InputData } from '../../src/graph/runtime.js'

export type Results = Readonly<Record<string, InputData>>

/** Throws unless every result of `want` is found, up to a share of its own value and of the root mean square of all. */
export function agree(who: string, found: Results, want: Results, tolerance: number): void {
  for (const [key, values] of Object.entries(want)) {
    const other = found[key]
    if (other.length !== values.length)
      throw new Error(`${who}: ${key} has ${other.length} values (want ${values.length})`)
    let squares = 0
    for (const v of values) squares += v * v
    const rms = Math.sqrt(squares / values.length)
    for (let i = 0; i < values.length; i++)
      if (!(Math.abs(other[i] - values[i]) <= tolerance * (Math.abs(values[i]) + rms)))
        throw new Error(`${who}: ${key}[${i}] is ${other[i]} (want ${values[i]})`)
  }
}
