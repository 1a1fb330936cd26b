/**
 * The log of a run: OUT/log.jsonl, one JSON object with a `step` a line. A line goes to the file at once, so that a
 * killed run keeps it; a resumed run first drops the lines after its checkpoint, and the log is as if undisturbed.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { append, sync, writeFileAtomic } from '../files.js'

/** In the folder of a run. */
export const LOG_FILE = 'log.jsonl'

export class TrainingLog {
  readonly path: string

  /** Opens the log of a run that has done `step` updates. */
  constructor(out: string, step: number) {
    this.path = join(out, LOG_FILE)
    const before = existsSync(this.path) ? readFileSync(this.path, 'utf8') : ''
    const kept = before
      .split('\n')
      .filter((line) => stepOf(line) <= step)
      .map((line) => `${line}\n`)
      .join('')
    if (kept !== before) writeFileAtomic(this.path, kept)
  }

  /** Appends a line. */
  write(line: { readonly step: number } & Readonly<Record<string, unknown>>): void {
    append(this.path, `${JSON.stringify(line)}\n`)
  }

  /** Brings the lines to the disk. */
  sync(): void {
    if (existsSync(this.path)) sync(this.path)
  }
}

/** The step of a line; infinite where the line was cut short. */
function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { step?: unknown }
    return typeof step === 'number' ? step : Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
