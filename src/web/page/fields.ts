/** Numbers that people type: read, or refused at the field itself. */
import { byId } from './dom.js'

export interface Field {
  readonly id: string
  readonly name: string
  readonly low: number
  readonly high: number
  readonly whole: boolean
}

/** The values by id; where one is wrong, what is wrong with the first, and that field gets the focus. */
export function readFields(fields: readonly Field[]): {
  readonly values: Readonly<Record<string, number>>
  readonly wrong?: string
} {
  const values: Record<string, number> = {}
  let wrong: string | undefined
  for (const { id, name, low, high, whole } of fields) {
    const input = byId(id, HTMLInputElement)
    const text = input.value.trim()
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
    const good = value >= low && value <= high && (!whole || Number.isInteger(value))
    input.setAttribute('aria-invalid', String(!good))
    values[id] = value
    if (good || wrong !== undefined) continue
    const found = text === '' ? 'nothing' : text
    wrong = `${name}: found ${found}, expected a ${whole ? 'whole number' : 'number'} from ${low} to ${high}.`
    input.focus()
  }
  return { values, ...(wrong !== undefined && { wrong }) }
}
