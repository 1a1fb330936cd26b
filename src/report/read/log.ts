/**
 * Reads OUT/log.jsonl: a JSON object with a `step` a line. The last line of a run that was killed may be cut short and is
 * left out; any other line that does not fit is an error with its number.
 */
import { existsSync } from 'node:fs'
import { quote } from '../../data/files/text.js'
import { readText } from '../../data/files/text_node.js'
import { InputError } from '../../error.js'
import type { Log, Point } from '../model.js'

const EXPECTED = 'a line of a training log: a JSON object with a number `step`'

/** Undefined where there is no log, or none of its lines is whole. */
export function readLog(file: string): Log | undefined {
  if (!existsSync(file)) return undefined
  const lines = readText(file, 'a training log').split('\n')
  const series = new Map<string, Point[]>()
  let lastStep: number | undefined
  lines.forEach((line, i) => {
    if (line === '') return
    const values = parse(line)
    if (values === undefined) {
      if (i === lines.length - 1) return
      throw new InputError({ file, line: i + 1, found: quote(line), expected: EXPECTED })
    }
    lastStep = values.step
    for (const [name, value] of numbersOf(values)) {
      const points = series.get(name) ?? []
      points.push({ step: values.step, value })
      series.set(name, points)
    }
  })
  return lastStep === undefined ? undefined : { lastStep, series }
}

function parse(line: string): ({ step: number } & Record<string, unknown>) | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (value === null || typeof value !== 'object' || !('step' in value)) return undefined
    return typeof value.step === 'number' ? { ...value, step: value.step } : undefined
  } catch {
    return undefined
  }
}

/** Numbers of a line and of the objects in it, one level deep. */
function numbersOf(values: Record<string, unknown>): [name: string, value: number][] {
  return Object.entries(values).flatMap(([name, value]): [string, number][] => {
    if (name === 'step') return []
    if (typeof value === 'number') return [[name, value]]
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return []
    return Object.entries(value)
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
      .map(([inner, number]) => [`${name}.${inner}`, number])
  })
}
