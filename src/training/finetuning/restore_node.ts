/** How a fine-tuning run is taken up again from its checkpoint: the settings that decide its bits have to be the same. */
import { UserError } from '../../error.js'
import type { Runtime } from '../../graph/runtime.js'
import { listCheckpoints, readArenas, readState } from '../checkpoint.js'
import { type RunState, settingsOf, writeArenas } from './run_state.js'
import { type FinetuneRun, kindOf } from './setup.js'

/** What is not chosen by an option of its own, and what it comes from. */
const ORIGINS: Readonly<Record<string, string>> = {
  labels: 'the data that it was started on',
  examples: 'the data that it was started on',
  vocabulary: 'the vocabulary that it was started with',
}

/** Puts the newest checkpoint on the device; undefined where a run was stopped before its first one. */
export async function restore(
  out: string,
  run: FinetuneRun,
  runtime: Runtime,
): Promise<RunState | undefined> {
  const place = listCheckpoints(out).at(-1)
  if (place === undefined) return undefined
  const state = readState(place.dir, kindOf(run.task)) as unknown as RunState
  const { settings } = state
  const { model, tokenizer, continueFrom } = run.options
  for (const [name, value] of Object.entries(settingsOf(run))) {
    // without either option vocabulary and sizes are those of the checkpoint
    if (name === 'model' && (model ?? tokenizer ?? continueFrom) === undefined) continue
    const before = JSON.stringify(settings[name])
    const now = JSON.stringify(value)
    if (before === undefined || before === now) continue
    throw new UserError(
      `${place.dir}: the run had ${name} ${before}, and now has ${now}; --resume changes nothing. ` +
        waysOn(place.dir, name, settings[name]),
    )
  }
  await writeArenas(runtime, readArenas(place.dir, run.parameters))
  return state
}

/** How a person goes on whose choice of `name` is not the `saved` one: with the same run, or with a new one. */
function waysOn(dir: string, name: string, saved: unknown): string {
  const option = `--${name.replaceAll('_', '-')}`
  const isFlag = typeof saved === 'boolean'
  const chosen = isFlag ? option : `${option} ${saved}`
  const same = ORIGINS[name] ?? (saved === null || saved === false ? `leave out ${option}` : chosen)
  const other = ['model', 'labels', 'vocabulary'].includes(name)
    ? 'For another one start a run of its own, without --resume'
    : `To take its weights and moments into a new run with the other: --continue-from ${dir} and a new --out, without --resume`
  return `To go on with the same run: ${same}. ${other}`
}
