/** JSON files of runs and benchmarks: read, checked against what this version writes, every fault named with its place. */
import { existsSync } from 'node:fs'
import type { z } from 'zod'
import { readText } from '../../data/files/text_node.js'
import { InputError } from '../../error.js'

/** The checked contents of a file. `expected` says what it should have been. */
export function readJson<T>(file: string, schema: z.ZodType<T>, expected: string): T {
  let value: unknown
  try {
    value = JSON.parse(readText(file, expected))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new InputError({ file, found: `no JSON (${error.message})`, expected })
    throw error
  }
  const checked = schema.safeParse(value)
  if (checked.success) return checked.data
  const [{ path, message }] = checked.error.issues
  const place = path.length === 0 ? 'the whole' : path.join('.')
  throw new InputError({ file, found: `at ${place}: ${message}`, expected })
}

/** As readJson, undefined where there is no such file. */
export function readJsonIfThere<T>(file: string, schema: z.ZodType<T>, expected: string): T | undefined {
  return existsSync(file) ? readJson(file, schema, expected) : undefined
}
