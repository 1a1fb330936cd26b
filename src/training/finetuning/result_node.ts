/** What a fine-tuning run leaves in its folder: scores.json, units.json. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../error.js'
import { listCheckpoints } from '../checkpoint.js'
import type { FinetuneResult } from './result.js'

/** The last file that a run writes. */
export const SCORES_FILE = 'scores.json'
/** Tallies of the units of dev and test. */
export const UNITS_FILE = 'units.json'

/** Refuses an output folder with anything in it, unless a run there is to be resumed. */
export function refuseOut(out: string, resume: boolean): void {
  if (!existsSync(out)) return
  let names: string[]
  try {
    names = readdirSync(out)
  } catch {
    throw new UsageError(`${out}: is a file, want a folder`)
  }
  if (names.length === 0 || resume) return
  const stopped = listCheckpoints(out).length > 0 ? ', or go on with it by --resume' : ''
  throw new UsageError(`${out}: is there already and not empty; remove it or name another${stopped}`)
}

/** The result of a run that has ended in that folder. */
export function finished(out: string): FinetuneResult | undefined {
  const file = join(out, SCORES_FILE)
  if (!existsSync(file)) return undefined
  // what the key was called before it had no spaces
  const text = readFileSync(file, 'utf8').replaceAll('"paper style (inferred)"', '"paper_style"')
  return JSON.parse(text) as FinetuneResult
}
