/** Files of JSON objects, one a line: every object with its line, every fault named with file and line. Blank lines are left out. */
import { InputError } from '../../error.js'
import { quote } from './text.js'
import { readText } from './text_node.js'

export interface JsonLine {
  readonly value: Readonly<Record<string, unknown>>
  /** From 1. */
  readonly line: number
}

/** Throws an InputError for a line that is no JSON object; `expected` says what the file should be. */
export function readJsonLines(path: string, expected: string): JsonLine[] {
  return parseJsonLines(readText(path, expected), path)
}

/** The same of a text; `file` names it in errors. */
export function parseJsonLines(text: string, file: string): JsonLine[] {
  return text.split('\n').flatMap((row, i) => {
    if (row.trim() === '') return []
    return [{ value: parseObject(row, { file, line: i + 1 }), line: i + 1 }]
  })
}

/** One line as an object. */
export function parseObject(row: string, place: { file: string; line: number }): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(row)
  } catch {
    throw new InputError({ ...place, found: quote(row), expected: 'a JSON object on a line' })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError({ ...place, found: quote(row), expected: 'a JSON object' })
  return value as Record<string, unknown>
}
