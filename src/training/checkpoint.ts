/**
 * Checkpoints: OUT/checkpoint-STEP/ is a model folder (config.json, model.safetensors, vocabulary) with
 * optimizer.safetensors (moment1.NAME, moment2.NAME) and state.json (what else a run needs to go on). It is written
 * under a temporary name, brought to the disk and renamed, so a folder of that name is complete whatever happens.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { InputError } from '../error.js'
import { abandonFolder, makeFolder, rename, sync, writeSynced } from '../files.js'
import type { ParameterSet } from '../graph/parameters.js'
import { saveModel } from '../model/folder.js'
import { readSafetensors, writeSafetensors } from '../model/formats/safetensors.js'
import { type ModelToSave, WEIGHTS_FILE } from '../model/pretrained.js'
import { arenaTensors, readArena } from '../model/weights.js'

const STATE_FILE = 'state.json'
const OPTIMIZER_FILE = 'optimizer.safetensors'
const FORMAT = 'bioalbert-checkpoint'
const VERSION = 1

/** What training changes: arenas laid out as the parameters. */
export interface TrainingArenas {
  readonly parameters: Float32Array
  readonly moment1: Float32Array
  readonly moment2: Float32Array
}

export interface CheckpointPlace {
  readonly step: number
  readonly dir: string
}

export interface CheckpointToSave {
  /** The kind of run, such as `pretrain`: a checkpoint of another kind is refused. */
  readonly kind: string
  /** Updates done. */
  readonly step: number
  readonly model: Omit<ModelToSave, 'data'>
  readonly arenas: TrainingArenas
  /** JSON of the run: settings, data cursor, counters. */
  readonly state: object
}

/** The complete checkpoints of a run, oldest first. */
export function listCheckpoints(out: string): CheckpointPlace[] {
  if (!existsSync(out)) return []
  return readdirSync(out)
    .flatMap((name) => {
      const found = /^checkpoint-(\d+)$/.exec(name)
      return found ? [{ step: Number(found[1]), dir: join(out, name) }] : []
    })
    .sort((a, b) => a.step - b.step)
}

/** The checkpoint that a path names: itself, or the newest of a run. Throws an InputError where there is none. */
export function findCheckpoint(path: string): CheckpointPlace {
  const step = /^checkpoint-(\d+)$/.exec(basename(resolve(path)))?.[1]
  if (step !== undefined && existsSync(path)) return { step: Number(step), dir: path }
  const newest = listCheckpoints(path).at(-1)
  if (newest) return newest
  const found = existsSync(path) ? 'no checkpoint' : 'no such folder'
  throw new InputError({ file: path, found, expected: 'the folder of a run, or a checkpoint-STEP in one' })
}

/** Writes OUT/checkpoint-STEP and returns its path. */
export async function saveCheckpoint(out: string, checkpoint: CheckpointToSave): Promise<string> {
  const { kind, step, model, arenas, state } = checkpoint
  const dir = join(out, `checkpoint-${step}`)
  const temporary = join(out, `.checkpoint-${step}.partial`)
  rmSync(temporary, { recursive: true, force: true })
  try {
    makeFolder(temporary)
    await saveModel(temporary, { ...model, data: arenas.parameters })
    await writeSafetensors(join(temporary, OPTIMIZER_FILE), [
      ...arenaTensors(model.parameters, arenas.moment1, 'moment1.'),
      ...arenaTensors(model.parameters, arenas.moment2, 'moment2.'),
    ])
    const json = { format: FORMAT, version: VERSION, kind, step, ...state }
    writeSynced(join(temporary, STATE_FILE), `${JSON.stringify(json, null, 2)}\n`)
    sync(temporary)
    discard(out, dir)
    rename(temporary, dir)
    return dir
  } catch (error) {
    throw abandonFolder(temporary, dir, error)
  }
}

/** state.json of a checkpoint. Throws an InputError when it is not one of this kind of run. */
export function readState(dir: string, kind: string): Record<string, unknown> {
  const file = join(dir, STATE_FILE)
  const refuse = (found: string): never => {
    throw new InputError({ file, found, expected: `a checkpoint of ${kind}, version ${VERSION}` })
  }
  if (!existsSync(file)) return refuse('no such file')
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    return refuse((error as Error).message)
  }
  if (typeof json !== 'object' || json === null) return refuse('no JSON object')
  const state = json as Record<string, unknown>
  if (state.format !== FORMAT) return refuse(`format ${JSON.stringify(state.format)}`)
  if (state.version !== VERSION) return refuse(`version ${JSON.stringify(state.version)}`)
  if (state.kind !== kind) return refuse(`a checkpoint of ${String(state.kind)}`)
  if (!Number.isInteger(state.step) || basename(resolve(dir)) !== `checkpoint-${state.step}`)
    return refuse(`step ${String(state.step)} in a folder named ${basename(dir)}`)
  return state
}

/** Parameters and moments of a checkpoint. Throws an InputError when they are not those of `parameters`. */
export function readArenas(dir: string, parameters: ParameterSet): TrainingArenas {
  const arena = () => new Float32Array(parameters.arenaElements)
  const arenas = { parameters: arena(), moment1: arena(), moment2: arena() }
  readArena(readSafetensors(join(dir, WEIGHTS_FILE)), parameters, arenas.parameters)
  const optimizer = readSafetensors(join(dir, OPTIMIZER_FILE))
  readArena(optimizer, parameters, arenas.moment1, 'moment1.')
  readArena(optimizer, parameters, arenas.moment2, 'moment2.')
  return arenas
}

/** Removes all checkpoints but the last `keep` and that of step `best`. */
export function pruneCheckpoints(out: string, keep: number, best?: number): void {
  const all = listCheckpoints(out)
  for (const { step, dir } of all.slice(0, Math.max(0, all.length - keep)))
    if (step !== best) discard(out, dir)
}

/** Removes what a killed run left half-written or half-removed. */
export function removeLeftovers(out: string): void {
  if (!existsSync(out)) return
  for (const name of readdirSync(out))
    if (/^\.checkpoint-\d+\.(partial|removed)$/.test(name) || /\.\d+\.tmp$|\.partial-\d+$/.test(name))
      rmSync(join(out, name), { recursive: true, force: true })
}

/** Removes a checkpoint such that it is never seen in part. */
function discard(out: string, dir: string): void {
  if (!existsSync(dir)) return
  const removed = join(out, `.${basename(dir)}.removed`)
  rmSync(removed, { recursive: true, force: true })
  rename(dir, removed)
  rmSync(removed, { recursive: true, force: true })
}
