/** What a fine-tuning run leaves in its folder: scores.json, units.json. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG_FILE, VOCABULARY_FILES, WEIGHTS_FILE } from '../../model/pretrained.js'
import type { CheckpointPlace } from '../checkpoint.js'
import { LOG_FILE } from '../log.js'
import { openRunFolder } from '../run_folder.js'
import { TASK_FILE } from './model.js'
import type { FinetuneResult } from './result.js'

/** The last file that a run writes. */
export const SCORES_FILE = 'scores.json'
/** Tallies of the units of dev and test. */
export const UNITS_FILE = 'units.json'

/** What the first model of a run is made of. */
const MODEL_FILES: readonly string[] = [TASK_FILE, CONFIG_FILE, WEIGHTS_FILE, ...VOCABULARY_FILES]

/** The checkpoint that a run in OUT goes on from, as `openRunFolder` says: its first model is written just before its first checkpoint. */
export function openFinetuningFolder(out: string, resume: boolean): CheckpointPlace | undefined {
  const marks = [LOG_FILE, TASK_FILE]
  return openRunFolder(
    out,
    resume,
    (name, all) => MODEL_FILES.includes(name) && marks.every((mark) => all.includes(mark)),
  )
}

/** The result of a run that has ended in that folder. */
export function finished(out: string): FinetuneResult | undefined {
  const file = join(out, SCORES_FILE)
  if (!existsSync(file)) return undefined
  // what the key was called before it had no spaces
  const text = readFileSync(file, 'utf8').replaceAll('"paper style (inferred)"', '"paper_style"')
  return JSON.parse(text) as FinetuneResult
}
