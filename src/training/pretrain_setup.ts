/**
 * Everything about a pretraining run that can be known, and refused, before it takes memory or writes a file: the
 * vocabulary, the instances, the checkpoint to go on from, the settings, the programs and their memory, the weights.
 */
import { readdirSync } from 'node:fs'
import { type Instance, InstanceStream } from '../data/instance_stream.js'
import { readManifest } from '../data/manifest.js'
import { Tokenizer } from '../data/tokenizer.js'
import { UserError } from '../error.js'
import { refuseExisting } from '../files.js'
import { compile, type MemoryPlan, memoryPlan } from '../graph/runtime.js'
import { checkVocabulary, openModel, type PretrainedModel } from '../model/folder.js'
import type { PretrainingCapacity } from '../model/pretraining.js'
import { loadPretrained } from '../model/weights.js'
import {
  type CheckpointPlace,
  listCheckpoints,
  readArenas,
  readState,
  type TrainingArenas,
} from './checkpoint.js'
import { heldOutInstances, unigramBaseline } from './evaluate_pretraining.js'
import { initialValues } from './initialize.js'
import { refuseTooLarge } from './memory.js'
import {
  type PretrainChoices,
  type PretrainSettings,
  resolveSettings,
  resumeSettings,
  warnings,
} from './pretrain_settings.js'
import { microBatchCapacity } from './pretraining_batch.js'
import { type PretrainingPrograms, pretrainingPrograms } from './pretraining_programs.js'

export const KIND = 'pretrain'

export interface PretrainSources {
  readonly choices: PretrainChoices
  /** Folders: instances, vocabulary, what the run writes, weights to start from. */
  readonly instances: string
  readonly tokenizer: string
  readonly out: string
  readonly init?: string
  /** Go on from the newest checkpoint in `out`, or start if there is none. */
  readonly resume: boolean
  /** Held-out instances to evaluate on, at most. */
  readonly evalInstances: number
}

export interface PretrainSetup {
  readonly settings: PretrainSettings
  readonly capacity: PretrainingCapacity
  readonly programs: PretrainingPrograms
  readonly memory: MemoryPlan
  readonly tokenizer: Tokenizer
  readonly stream: InstanceStream
  readonly heldOut: readonly Instance[]
  /** MLM accuracy of guessing the most frequent label of the held-out instances. */
  readonly baseline: number
  /** Where the run goes on. */
  readonly resumed?: { readonly place: CheckpointPlace; readonly state: Record<string, unknown> }
  /** Parameters that the weights of --init do not hold, and tensors of theirs that are not used. */
  readonly init?: { readonly missing: readonly string[]; readonly ignored: readonly string[] }
  readonly warnings: readonly string[]
  /** What the run starts with. */
  arenas(): TrainingArenas
}

/** Checks everything; writes nothing. */
export async function setUpPretraining(sources: PretrainSources): Promise<PretrainSetup> {
  const { choices, out, resume } = sources
  const place = resume ? newestCheckpoint(out) : undefined
  if (!resume) refuseExisting(out)
  const tokenizer = Tokenizer.load(sources.tokenizer)
  const manifest = readManifest(sources.instances)
  const model = sources.init === undefined ? undefined : openModel(sources.init)
  if (model) checkVocabulary(model, tokenizer.size, tokenizer.digest)
  const limits = {
    maxLength: manifest.maxLength,
    maxPredictions: manifest.maxPredictions,
    vocabularySize: tokenizer.size,
  }
  const state = place && readState(place.dir, KIND)
  const settings =
    place && state
      ? resumeSettings(state.settings, choices, place.dir)
      : resolveSettings(choices, limits, model?.config)
  const common = { tokenizerDigest: tokenizer.digest, seed: settings.seed }
  const stream = await InstanceStream.open(sources.instances, common)
  const heldOut: Instance[] = []
  if (manifest.heldout.instances > 0) {
    const held = await InstanceStream.open(sources.instances, { ...common, split: 'heldout' })
    heldOut.push(...heldOutInstances(held, sources.evalInstances))
    await held.close()
  }
  const capacity = microBatchCapacity(
    settings.rows,
    settings.batch,
    manifest.maxLength,
    manifest.maxPredictions,
  )
  const programs = pretrainingPrograms(settings.config, capacity, settings.optimizer, settings)
  const memory = memoryPlan(programs.parameters, compile(programs.graphs).values())
  refuseTooLarge(memory, 0)
  if (place && state) checkData(place.dir, state, stream)
  const start = startingPoint(programs, settings, place, model)
  return {
    settings,
    capacity,
    programs,
    memory,
    tokenizer,
    stream,
    heldOut,
    baseline: unigramBaseline(heldOut),
    resumed: place && state && { place, state },
    init: place ? undefined : start.report,
    warnings: warnings(settings, manifest.pairs),
    arenas: start.arenas,
  }
}

/** The data that a run goes through, as its checkpoints keep it. */
export function dataFacts({ info }: InstanceStream) {
  const { tokenizerDigest, masking, documents, instances, tokens, predictions } = info
  return { tokenizerDigest, masking, documents, instances, tokens, predictions }
}

function checkData(dir: string, state: Record<string, unknown>, stream: InstanceStream): void {
  const before = (state.data ?? {}) as Record<string, unknown>
  for (const [name, now] of Object.entries(dataFacts(stream)))
    if (before[name] !== now)
      throw new UserError(
        `${dir}: the run was started on other instances (${name} ${before[name]}, here ${now})`,
      )
}

function newestCheckpoint(out: string): CheckpointPlace | undefined {
  const newest = listCheckpoints(out).at(-1)
  if (newest) return newest
  // a run that was killed before its first checkpoint starts anew; what is no run is refused
  let names: string[] = []
  try {
    names = readdirSync(out)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const foreign = names.find(
    (name) => name !== 'log.jsonl' && !/^\.checkpoint-|\.tmp$|\.partial-\d+$/.test(name),
  )
  if (foreign !== undefined)
    throw new UserError(`${out}: holds ${foreign} but no checkpoint; there is no run to resume`)
  return undefined
}

function startingPoint(
  { parameters }: PretrainingPrograms,
  settings: PretrainSettings,
  place: CheckpointPlace | undefined,
  model: PretrainedModel | undefined,
) {
  if (place) {
    // read now, so that a checkpoint that is not whole is refused before anything else happens
    let read: TrainingArenas | undefined = readArenas(place.dir, parameters)
    const arenas = (): TrainingArenas => {
      const given = read ?? readArenas(place.dir, parameters)
      read = undefined
      return given
    }
    return { arenas, report: undefined }
  }
  let values: Float32Array | undefined = initialValues(parameters, settings.seed)
  const report = model && loadPretrained(model.weights, parameters, values)
  const arenas = (): TrainingArenas => {
    const given = values ?? initialValues(parameters, settings.seed)
    values = undefined
    return {
      parameters: given,
      moment1: new Float32Array(parameters.arenaElements),
      moment2: new Float32Array(parameters.arenaElements),
    }
  }
  return { arenas, report }
}
